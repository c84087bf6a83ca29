/**
 * Virtual addresses in keys of etcd, one for each ServiceEntry, beside the objects: who writes an entry anew does not move them.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { ABSENT, type Etcd, type KeyValue } from "../etcd/etcd.ts";
import { KeyWatch } from "../etcd/key-watch.ts";
import type { AddressBook, HostAddress, OctetStore } from "./address-book.ts";
import type { AddressedObjects } from "./addressed-objects.ts";

export interface EtcdAddressesOptions {
  readonly etcd: Etcd;
  /** Gets what is written. */
  readonly objects: AddressedObjects;
  readonly after: (milliseconds: number, task: () => void) => () => void;
  readonly onFailed: (error: unknown) => void;
}

const FOLDER = "addresses/";
const RELEASED = "released-addresses";

export class EtcdAddresses implements AddressBook {
  readonly listed: Promise<void>;
  readonly released: OctetStore;
  readonly #etcd: Etcd;
  readonly #watch: KeyWatch;

  constructor({ etcd, objects, after, onFailed }: EtcdAddressesOptions) {
    this.#etcd = etcd;
    this.released = new KeyOctets(etcd, RELEASED);
    this.#watch = new KeyWatch(etcd, {
      folder: FOLDER,
      after,
      onFailed,
      onChange: (set, gone) => {
        for (const one of set) objects.setAddresses(pathOf(one.key), readAddresses(one));
        for (const key of gone) objects.setAddresses(pathOf(key), undefined);
      },
    });
    this.listed = this.#watch.listed;
  }

  async caughtUp(): Promise<void> {
    const { items } = await this.#etcd.list(FOLDER, { keysOnly: true });
    const newest = items.reduce((last, { revision }) => (BigInt(revision) > last ? BigInt(revision) : last), 0n);
    await this.#watch.reached(`${newest}`);
  }

  async write(namespace: string, name: string, addresses: readonly HostAddress[]): Promise<void> {
    await this.#etcd.change([], [{ put: `${FOLDER}${namespace}/${name}`, value: JSON.stringify(addresses) }]);
  }

  async retain(isThere: (namespace: string, name: string) => boolean): Promise<void> {
    const { items } = await this.#etcd.list(FOLDER, { keysOnly: true });
    for (const { key, revision } of items) {
      const [namespace = "", name = ""] = pathOf(key).split("/");
      // By then, it may have been made again.
      if (!isThere(namespace, name)) await this.#etcd.change([{ key, revision }], [{ delete: key }]);
    }
  }

  close(): void {
    this.#watch.close();
  }
}

/** Of what is not that large, compressed. */
class KeyOctets implements OctetStore {
  readonly #etcd: Etcd;
  readonly #key: string;

  constructor(etcd: Etcd, key: string) {
    this.#etcd = etcd;
    this.#key = key;
  }

  async read() {
    const stored = await this.#etcd.get(this.#key);
    return stored && { octets: await promisify(gunzip)(stored.value), version: stored.revision };
  }

  async write(octets: Uint8Array, before = ABSENT): Promise<string> {
    const key = this.#key;
    const value = await promisify(gzip)(octets);
    const revision = await this.#etcd.change([{ key, revision: before }], [{ put: key, value }]);
    if (revision === undefined) throw new Error(`key ${key}: expected revision ${before}, got another`);
    return revision;
  }
}

/** `NAMESPACE/NAME`. */
function pathOf(key: string): string {
  return key.slice(FOLDER.length);
}

/** Undefined for what nobody of ours has written. */
function readAddresses({ value }: KeyValue): readonly HostAddress[] | undefined {
  try {
    const addresses = JSON.parse(value.toString()) as readonly HostAddress[];
    return Array.isArray(addresses) ? addresses : undefined;
  } catch {
    return undefined;
  }
}
