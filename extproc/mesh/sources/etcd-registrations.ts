/**
 * Registrations with any of the services of one store: keys of etcd, each with a lease that ends where nobody beats.
 */
import type { Etcd } from "../../etcd/etcd.ts";
import type { ObjectKey, ObjectOf } from "./object.ts";
import type { ObjectStore } from "./object-store.ts";
import type { KeptRegistrations } from "./registrations.ts";
import { WatchedObjects, type WatchedObjectsOptions } from "./watched-objects.ts";

const FOLDER = "registrations/";

export class EtcdRegistrations implements KeptRegistrations {
  readonly #etcd: Etcd;
  readonly #watched: WatchedObjects;

  constructor(options: Omit<WatchedObjectsOptions, "folder">) {
    this.#etcd = options.etcd;
    this.#watched = new WatchedObjects({ ...options, folder: FOLDER });
  }

  get objects(): ObjectStore {
    return this.#watched.objects;
  }

  get listed(): Promise<void> {
    return this.#watched.listed;
  }

  /** With a lease of its own for each beat: that of the beat before has no key any more, and ends by itself. */
  async set(workload: ObjectOf<"WorkloadEntry">, seconds: number): Promise<boolean> {
    await this.listed;
    const changes = this.objects.diff({ set: [workload] });
    const lease = await this.#etcd.grant(seconds);
    const put = this.#watched.keyOf(workload);
    await this.#watched.change([{ put, value: JSON.stringify(workload.value), lease }]);
    return changes.length > 0;
  }

  async remove(key: ObjectKey): Promise<boolean> {
    await this.listed;
    const isThere = this.objects.diff({ delete: [key] }).length > 0;
    if (isThere) await this.#watched.change([{ delete: this.#watched.keyOf(key) }]);
    return isThere;
  }

  /** By etcd itself. */
  async expire(): Promise<void> {}

  async close(): Promise<void> {
    this.#watched.close();
  }
}
