/**
 * Virtual addresses where several services give them: one does, which leads, and writes them where all of them read them as
 * the status of the ServiceEntry (address-book.ts). All, that one too, tell names of what is written there: so none has
 * an address that another does not have, and what was given is there after all were started anew.
 */
import type { AddressBook } from "./address-book.ts";
import { ReleasedAddresses } from "./released-addresses.ts";
import type { ObjectOf } from "./sources/object.ts";
import type { MeshObjects } from "./sources/object-store.ts";
import {
  type HostAddresses,
  VirtualAddresses,
  type VirtualAddressStatus,
  type VirtualRanges,
} from "./virtual-addresses.ts";

export interface SharedAddressesOptions {
  readonly book: AddressBook;
  readonly objects: MeshObjects;
  /** When all objects are known: nobody's address is given before. */
  readonly listed: Promise<void>;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  readonly after: (milliseconds: number, task: () => void) => void;
  readonly onTrouble: (fields: object, message: string) => void;
}

/** What hosts come in so many milliseconds is written at once. */
const BATCH_MS = 20;
const RETRY_MS = 1000;
/** What a leader before this one has asked for last is there by then. */
const SETTLE_MS = 1000;
/** What was given back in so many milliseconds is written down at once. */
const RELEASED_MS = 1000;
/** So many are written at a time. */
const AT_ONCE = 8;

export class SharedAddresses implements HostAddresses {
  readonly #options: SharedAddressesOptions;
  readonly #given: VirtualAddresses;
  readonly #released: ReleasedAddresses;
  /** Hosts that want an address and have none, by the `NAMESPACE/NAME` of their entry. */
  readonly #wanted = new Map<string, Set<string>>();
  /** Of the wall clock: this service gives addresses until then. */
  #leadsUntil = 0;
  #due = false;
  #releasedDue = false;
  #failing = false;
  readonly #stop: () => void;

  static async open(options: SharedAddressesOptions): Promise<SharedAddresses> {
    return new SharedAddresses(options, await VirtualAddresses.open(options.now));
  }

  private constructor(options: SharedAddressesOptions, given: VirtualAddresses) {
    this.#options = options;
    this.#given = given;
    this.#released = new ReleasedAddresses(options.book.released, given);
    this.#stop = options.objects.onChange((changes) => {
      for (const { after } of changes) if (after?.kind === "ServiceEntry") this.#adopt(after);
    });
  }

  /** This service gives addresses until then, by the wall clock; 0: it does not. */
  lead(until: number): void {
    const led = this.#leads;
    this.#leadsUntil = until;
    if (led || !this.#leads) return;
    this.#released.forget();
    this.#writeLater(SETTLE_MS);
    this.#writeReleasedLater();
  }

  /** Looked at before each address that is given: whoever was stopped for a while does not hear of that first. */
  get #leads(): boolean {
    return this.#options.now() < this.#leadsUntil;
  }

  setRanges(ranges: VirtualRanges | undefined): void {
    this.#given.setRanges(ranges);
    for (const entry of this.#options.objects.list("ServiceEntry")) this.#adopt(entry);
  }

  covers(address: string): boolean {
    return this.#given.covers(address);
  }

  /** None yet: what is asked for here is in no status. */
  give(host: string): readonly string[] {
    this.#want(host);
    this.#writeLater(BATCH_MS);
    return [];
  }

  release(host: string): void {
    this.#unwant(host);
    this.#given.release(host);
    this.#writeReleasedLater();
  }

  *hosts(): Generator<string> {
    yield* this.#given.hosts();
    for (const hosts of this.#wanted.values()) yield* hosts;
  }

  get without(): number {
    return this.#given.without;
  }

  status(): VirtualAddressStatus {
    return this.#given.status();
  }

  /** What is told is in the book. */
  readonly isSaved = true;

  async saved(): Promise<void> {}

  async close(): Promise<void> {
    this.#leadsUntil = 0;
    this.#stop();
    await this.#given.close();
  }

  /** What a status says is so, whoever wrote it. */
  #adopt({ namespace, name, value }: ObjectOf<"ServiceEntry">): void {
    for (const { host, value: address } of value.status?.addresses ?? []) {
      if (host === undefined) continue;
      const key = `${namespace}/${name}/${host}`;
      this.#unwant(key);
      const holder = this.#given.adopt(key, address);
      if (holder !== undefined) {
        this.#options.onTrouble(
          { address, hosts: [holder, key] },
          "two hosts of ServiceEntries have one virtual address",
        );
      }
    }
  }

  #want(host: string): void {
    const entry = entryOf(host);
    const hosts = this.#wanted.get(entry);
    if (hosts === undefined) this.#wanted.set(entry, new Set([host]));
    else hosts.add(host);
  }

  #unwant(host: string): void {
    const entry = entryOf(host);
    const hosts = this.#wanted.get(entry);
    hosts?.delete(host);
    if (hosts?.size === 0) this.#wanted.delete(entry);
  }

  #writeReleasedLater(): void {
    if (this.#releasedDue || !this.#leads) return;
    this.#releasedDue = true;
    this.#options.after(RELEASED_MS, () => {
      this.#releasedDue = false;
      if (!this.#leads) return;
      this.#writeReleased().catch((error: unknown) => {
        this.#options.onTrouble({ err: error }, "virtual addresses that were given back cannot be written down");
        this.#writeReleasedLater();
      });
    });
  }

  async #writeReleased(): Promise<void> {
    const { book, objects, listed } = this.#options;
    await this.#released.write();
    await listed;
    if (this.#leads) await book.retain((namespace, name) => objects.get("ServiceEntry", namespace, name) !== undefined);
  }

  #writeLater(milliseconds: number): void {
    if (this.#due || !this.#leads || this.#wanted.size === 0) return;
    this.#due = true;
    this.#options.after(milliseconds, () => {
      void this.#options.listed.then(() => this.#write());
    });
  }

  async #write(): Promise<void> {
    const { onTrouble } = this.#options;
    let failed = false;
    const failedWith = (error: unknown) => {
      failed = true;
      if (!this.#failing) onTrouble({ err: error }, "virtual addresses of ServiceEntries cannot be written down");
    };
    const { book } = this.#options;
    await Promise.all([book.caughtUp(), this.#released.read()]).catch(failedWith);
    const entries = [...this.#wanted.keys()];
    for (let at = 0; at < entries.length && this.#leads && !failed; at += AT_ONCE) {
      await Promise.all(entries.slice(at, at + AT_ONCE).map((entry) => this.#writeEntry(entry))).catch(failedWith);
    }
    this.#failing = failed;
    this.#due = false;
    this.#writeLater(failed ? RETRY_MS : BATCH_MS);
  }

  async #writeEntry(path: string): Promise<void> {
    const [namespace = "", name = ""] = path.split("/");
    const entry = this.#options.objects.get("ServiceEntry", namespace, name);
    const wanting = [...(this.#wanted.get(path) ?? [])];
    const given = wanting.flatMap((key) => {
      const addresses = this.#given.give(key);
      // Those that get none are asked for again with the next change.
      this.#unwant(key);
      return addresses.map((value) => ({ host: key.slice(path.length + 1), value }));
    });
    if (entry === undefined || given.length === 0) return;
    const hosts = entry.value.spec.hosts;
    const before = (entry.value.status?.addresses ?? []).filter(
      ({ host }) => host !== undefined && hosts.includes(host),
    );
    try {
      await this.#options.book.write(namespace, name, [...before, ...given]);
    } catch (error) {
      for (const key of wanting) this.#want(key);
      throw error;
    }
  }
}

/** Of `NAMESPACE/NAME/HOST`. */
function entryOf(host: string): string {
  return host.slice(0, host.indexOf("/", host.indexOf("/") + 1));
}
