/**
 * Which address blocks overlap a given one: blocks nest or are apart, so it is those around it and those inside.
 */
import type { Network } from "../resources/network.ts";

interface Entry<T> {
  readonly network: Network;
  readonly key: string;
  readonly owner: T;
}

export class BlockIndex<T> {
  readonly #byKey = new Map<string, Entry<T>[]>();
  /** Ordered by first address, as hex digits; IPv4 and IPv6 apart. */
  readonly #sorted: Readonly<Record<4 | 6, Entry<T>[]>> = { 4: [], 6: [] };

  constructor(blocks: Iterable<{ readonly network: Network; readonly owner: T }>) {
    for (const { network, owner } of blocks) {
      const entry = { network, owner, key: hex(network.octets) };
      const key = blockKey(network.octets, network.length);
      const same = this.#byKey.get(key);
      if (same === undefined) this.#byKey.set(key, [entry]);
      else same.push(entry);
      this.#sorted[network.family].push(entry);
    }
    for (const entries of Object.values(this.#sorted)) entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  *overlapping(network: Network): Generator<{ readonly network: Network; readonly owner: T }> {
    for (let length = 0; length < network.length; length++) {
      yield* this.#byKey.get(blockKey(network.octets, length)) ?? [];
    }
    const entries = this.#sorted[network.family];
    const last = hex(network.octets.map((octet, index) => octet | hostBits(network.length, index)));
    for (let index = lowerBound(entries, hex(network.octets)); index < entries.length; index++) {
      const entry = entries[index];
      if (entry === undefined || entry.key > last) return;
      if (entry.network.length >= network.length) yield entry;
    }
  }
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}

/** The block of that length around an address. */
function blockKey(octets: Uint8Array, length: number): string {
  return `${hex(octets.map((octet, index) => octet & ~hostBits(length, index)))}/${length}`;
}

/** Bits of an octet that lie beyond the prefix. */
function hostBits(length: number, index: number): number {
  return 0xff >> Math.max(0, Math.min(8, length - index * 8));
}

function lowerBound(entries: readonly { readonly key: string }[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.key ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
