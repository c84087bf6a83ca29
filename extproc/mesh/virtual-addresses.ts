/**
 * Addresses for hosts of ServiceEntries that have none: one for each host of each entry, as long as the entry lives.
 *
 * Which address a host gets is a hash of its name, or the next that is free after it; so most hosts get the same address
 * wherever and in whatever order they are given out. What was given is written down, and never moves. An address that
 * was given back stays with its host for a while, in which a client may still hold it, before another host may get it.
 */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import ipaddr from "ipaddr.js";
import { Network, parseAddress, parseNetwork } from "../resources/network.ts";

export interface VirtualRanges {
  /** CIDRs. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** One line of the file. */
interface Line {
  readonly host: string;
  readonly offset: number;
  /** Milliseconds since 1970 when it was given back; absent: it is in use. */
  readonly released?: number;
}

/** One that was given back and is nobody else's yet. */
export type ReleasedAddress = Line & { readonly released: number };

/** How many there are, in use, and in quarantine; and hosts that got none. */
export interface VirtualAddressStatus {
  readonly size: number;
  readonly used: number;
  readonly quarantined: number;
  readonly without: number;
}

interface Lease {
  readonly offset: number;
  released: number | undefined;
}

/** A day: longer than any TTL that is given out, and than most connections. */
export const QUARANTINE_MS = 24 * 3600 * 1000;

/** Offsets are numbers of this many bits at most: both families have the same. */
const MAX_BITS = 24;

/** As whoever makes names needs them. */
export type HostAddresses = Pick<
  VirtualAddresses,
  "setRanges" | "covers" | "give" | "release" | "hosts" | "without" | "status" | "isSaved" | "saved" | "close"
>;

export class VirtualAddresses {
  readonly #now: () => number;
  readonly #file: FileHandle | undefined;
  readonly #leases = new Map<string, Lease>();
  readonly #holders = new Map<number, string>();
  #ranges: { readonly ipv4: Network; readonly ipv6: Network } | undefined;
  #unsaved: string[] = [];
  #pending = 0;
  #saving: Promise<void> = Promise.resolve();
  /** Hosts that got none. */
  readonly #without = new Set<string>();

  private constructor(now: () => number, file: FileHandle | undefined, lines: readonly Line[]) {
    this.#now = now;
    this.#file = file;
    for (const { host, offset, released } of lines) this.#put(host, { offset, released });
  }

  /** With `path`, what was given is there after a restart. An Error for a file that this has not written. */
  static async open(now: () => number, path?: string): Promise<VirtualAddresses> {
    if (path === undefined) return new VirtualAddresses(now, undefined, []);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const { lines, length } = await readLines(path);
    const file = await open(path, "a", 0o600);
    await file.truncate(length);
    return new VirtualAddresses(now, file, lines);
  }

  /** Undefined: nobody gets an address. What was given stays theirs. */
  setRanges(ranges: VirtualRanges | undefined): void {
    this.#ranges = ranges && { ipv4: toNetwork(ranges.ipv4), ipv6: toNetwork(ranges.ipv6) };
    this.#without.clear();
  }

  /** Hosts that got none. */
  get without(): number {
    return this.#without.size;
  }

  status(): VirtualAddressStatus {
    const leases = [...this.#leases.values()];
    const used = leases.filter(({ released }) => released === undefined).length;
    return { size: this.#size, used, quarantined: leases.length - used, without: this.without };
  }

  /** An IPv4 and an IPv6 address; none where all are given. `host` is `NAMESPACE/NAME/HOST`. */
  give(host: string): readonly string[] {
    const ranges = this.#ranges;
    if (ranges === undefined) return [];
    let lease = this.#leases.get(host);
    if (lease === undefined || lease.offset >= this.#size) {
      const offset = this.#find(host);
      if (offset === undefined) {
        this.#without.add(host);
        return [];
      }
      lease = { offset, released: undefined };
      this.#put(host, lease);
      this.#save({ host, offset });
    } else if (lease.released !== undefined) {
      lease.released = undefined;
      this.#save({ host, offset: lease.offset });
    }
    this.#without.delete(host);
    return [addressAt(ranges.ipv4, lease.offset), addressAt(ranges.ipv6, lease.offset)];
  }

  /** Whether an address is of the ranges. */
  covers(address: string): boolean {
    const octets = parseAddress(address);
    if (this.#ranges === undefined || typeof octets === "string") return false;
    const one = new Network(octets, octets.length * 8);
    return this.#ranges.ipv4.overlaps(one) || this.#ranges.ipv6.overlaps(one);
  }

  /** It has this address, which somebody else gave it. Gives another host that has it, too. */
  adopt(host: string, address: string): string | undefined {
    const range = this.#ranges?.ipv4;
    const offset = range && offsetIn(range, address);
    if (offset === undefined || offset >= this.#size) return undefined;
    const holder = this.#holders.get(offset);
    if (holder !== undefined && holder !== host && this.#leases.get(holder)?.released === undefined) return holder;
    this.#put(host, { offset, released: undefined });
    this.#without.delete(host);
    return undefined;
  }

  /** The host is there no more. */
  release(host: string): void {
    this.#without.delete(host);
    const lease = this.#leases.get(host);
    if (lease === undefined || lease.released !== undefined) return;
    lease.released = this.#now();
    this.#save({ host, offset: lease.offset, released: lease.released });
  }

  /** What was given back and is nobody else's yet. */
  *released(): Generator<ReleasedAddress> {
    for (const [host, { offset, released }] of this.#leases) {
      if (released !== undefined && this.#now() - released < QUARANTINE_MS) yield { host, offset, released };
    }
  }

  /** Of these, what is nobody's here was given back elsewhere. */
  restore(lines: Iterable<ReleasedAddress>): void {
    for (const { host, offset, released } of lines) {
      if (!this.#leases.has(host) && !this.#holders.has(offset)) this.#put(host, { offset, released });
    }
  }

  hosts(): Iterable<string> {
    return this.#leases.keys();
  }

  /** Whether everything that was given is on disk. */
  get isSaved(): boolean {
    return this.#pending === 0;
  }

  /** Resolved when it is. */
  saved(): Promise<void> {
    return this.#saving;
  }

  async close(): Promise<void> {
    await this.#saving.catch(() => {});
    await this.#file?.close();
  }

  /** How many offsets there are; the first and the last address of a network are nobody's. */
  get #size(): number {
    const ranges = this.#ranges;
    if (ranges === undefined) return 0;
    const bits = Math.min(32 - ranges.ipv4.length, 128 - ranges.ipv6.length, MAX_BITS);
    return 2 ** bits - 1;
  }

  #find(host: string): number | undefined {
    const size = this.#size;
    const start = createHash("sha256").update(host).digest().readUInt32LE();
    for (let probe = 0; probe < size; probe++) {
      const offset = (start + probe) % size;
      if (offset === 0) continue;
      const holder = this.#holders.get(offset);
      if (holder === undefined) return offset;
      const { released } = this.#leases.get(holder) ?? {};
      if (released === undefined || this.#now() - released < QUARANTINE_MS) continue;
      this.#leases.delete(holder);
      return offset;
    }
    return undefined;
  }

  #put(host: string, lease: Lease): void {
    const before = this.#leases.get(host);
    if (before !== undefined && this.#holders.get(before.offset) === host) this.#holders.delete(before.offset);
    const holder = this.#holders.get(lease.offset);
    if (holder !== undefined && holder !== host) this.#leases.delete(holder);
    this.#leases.set(host, lease);
    this.#holders.set(lease.offset, host);
  }

  #save(line: Line): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#unsaved.push(`${JSON.stringify(line)}\n`);
    this.#pending++;
    if (this.#unsaved.length > 1) return;
    this.#saving = this.#saving.then(async () => {
      const lines = this.#unsaved;
      this.#unsaved = [];
      await file.appendFile(lines.join(""));
      await file.datasync();
      this.#pending -= lines.length;
    });
    // Whoever waits for it hears of a failure.
    this.#saving.catch(() => {});
  }
}

function toNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (network instanceof Network) return network;
  throw new Error(`expected a checked network, got ${text}`);
}

function addressAt({ octets }: Network, offset: number): string {
  const address = [...octets];
  let rest = offset;
  for (let at = address.length - 1; rest > 0; at--) {
    address[at] = (address[at] ?? 0) | (rest & 255);
    rest = Math.floor(rest / 256);
  }
  return ipaddr.fromByteArray(address).toString();
}

/** What addressAt() was given; undefined for an address elsewhere. */
function offsetIn({ octets, length }: Network, address: string): number | undefined {
  if (!ipaddr.isValid(address)) return undefined;
  const found = ipaddr.parse(address).toByteArray();
  if (found.length !== octets.length) return undefined;
  const whole = (bytes: ArrayLike<number>) => Array.from(bytes).reduce((sum, octet) => sum * 256 + octet, 0);
  const offset = whole(found) - whole(octets);
  return offset > 0 && offset < 2 ** (octets.length * 8 - length) ? offset : undefined;
}

async function readLines(path: string): Promise<{ readonly lines: readonly Line[]; readonly length: number }> {
  let text = "";
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  // What a killed writer left half done was told to nobody.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const lines = whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => {
      try {
        const read = JSON.parse(line) as Line;
        if (typeof read.host === "string" && Number.isSafeInteger(read.offset)) return read;
      } catch {
        // Told below.
      }
      throw new Error(`${path}: line ${index + 1}: expected a host and its offset, got ${line.slice(0, 60)}`);
    });
  return { lines, length: Buffer.byteLength(whole) };
}
