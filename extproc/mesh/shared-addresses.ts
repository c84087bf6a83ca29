/**
 * Virtual addresses where several services give them: one does, which leads, and writes them into the status of the
 * ServiceEntry, as Istio 1.24 and later do. All of them, that one too, tell names of what is written there: so none has
 * an address that another does not have, and what was given is there after all were started anew.
 */
import { isNotFound, type KubernetesApi } from "../kubernetes/api.ts";
import { FOREIGN_KINDS } from "../resources/foreign-kinds.ts";
import type { ObjectOf } from "./sources/object.ts";
import type { MeshObjects } from "./sources/object-store.ts";
import {
  type HostAddresses,
  VirtualAddresses,
  type VirtualAddressStatus,
  type VirtualRanges,
} from "./virtual-addresses.ts";

export interface SharedAddressesOptions {
  readonly api: Pick<KubernetesApi, "request">;
  readonly objects: MeshObjects;
  /** When all objects are known: nobody's address is given before. */
  readonly listed: Promise<void>;
  readonly now: () => number;
  readonly after: (milliseconds: number, task: () => void) => void;
  readonly onTrouble: (fields: object, message: string) => void;
}

/** What hosts come in so many milliseconds is written at once. */
const BATCH_MS = 20;
const RETRY_MS = 1000;
/** What a leader before this one has asked for last is there by then. */
const SETTLE_MS = 1000;
/** So many are written at a time. */
const AT_ONCE = 8;

export class SharedAddresses implements HostAddresses {
  readonly #options: SharedAddressesOptions;
  readonly #given: VirtualAddresses;
  /** `NAMESPACE/NAME/HOST` of those that want an address and have none. */
  readonly #wanted = new Set<string>();
  #leads = false;
  #due = false;
  #failing = false;
  readonly #stop: () => void;

  static async open(options: SharedAddressesOptions): Promise<SharedAddresses> {
    return new SharedAddresses(options, await VirtualAddresses.open(options.now));
  }

  private constructor(options: SharedAddressesOptions, given: VirtualAddresses) {
    this.#options = options;
    this.#given = given;
    this.#stop = options.objects.onChange((changes) => {
      for (const { after } of changes) if (after?.kind === "ServiceEntry") this.#adopt(after);
    });
  }

  lead(leads: boolean): void {
    this.#leads = leads;
    this.#writeLater(SETTLE_MS);
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
    this.#wanted.add(host);
    this.#writeLater(BATCH_MS);
    return [];
  }

  release(host: string): void {
    this.#wanted.delete(host);
    this.#given.release(host);
  }

  *hosts(): Generator<string> {
    yield* this.#given.hosts();
    yield* this.#wanted;
  }

  get without(): number {
    return this.#given.without;
  }

  status(): VirtualAddressStatus {
    return this.#given.status();
  }

  /** What is told is in the API. */
  readonly isSaved = true;

  async saved(): Promise<void> {}

  async close(): Promise<void> {
    this.#leads = false;
    this.#stop();
    await this.#given.close();
  }

  /** What a status says is so, whoever wrote it. */
  #adopt({ namespace, name, value }: ObjectOf<"ServiceEntry">): void {
    for (const { host, value: address } of value.status?.addresses ?? []) {
      if (host === undefined) continue;
      const key = `${namespace}/${name}/${host}`;
      this.#wanted.delete(key);
      const holder = this.#given.adopt(key, address);
      if (holder !== undefined) {
        this.#options.onTrouble(
          { address, hosts: [holder, key] },
          "two hosts of ServiceEntries have one virtual address",
        );
      }
    }
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
    const entries = [...new Set([...this.#wanted].map((host) => host.split("/", 2).join("/")))];
    let failed = false;
    for (let at = 0; at < entries.length && this.#leads && !failed; at += AT_ONCE) {
      await Promise.all(entries.slice(at, at + AT_ONCE).map((entry) => this.#writeEntry(entry))).catch(
        (error: unknown) => {
          failed = true;
          if (!this.#failing)
            onTrouble({ err: error }, "virtual addresses cannot be written into the status of ServiceEntries");
        },
      );
    }
    this.#failing = failed;
    this.#due = false;
    this.#writeLater(failed ? RETRY_MS : BATCH_MS);
  }

  async #writeEntry(path: string): Promise<void> {
    const [namespace = "", name = ""] = path.split("/");
    const entry = this.#options.objects.get("ServiceEntry", namespace, name);
    const wanting = [...this.#wanted].filter((host) => host.startsWith(`${path}/`));
    const given = wanting.flatMap((key) => {
      const addresses = this.#given.give(key);
      // Those that get none are asked for again with the next change.
      this.#wanted.delete(key);
      return addresses.map((value) => ({ host: key.slice(path.length + 1), value }));
    });
    if (entry === undefined || given.length === 0) return;
    const hosts = entry.value.spec.hosts;
    const before = (entry.value.status?.addresses ?? []).filter(
      ({ host }) => host !== undefined && hosts.includes(host),
    );
    const [version] = FOREIGN_KINDS.ServiceEntry.apiVersions;
    const url = `/apis/${version}/namespaces/${namespace}/serviceentries/${name}/status`;
    try {
      await this.#options.api.request("PATCH", url, { status: { addresses: [...before, ...given] } });
    } catch (error) {
      if (isNotFound(error)) return;
      for (const key of wanting) this.#wanted.add(key);
      throw error;
    }
  }
}
