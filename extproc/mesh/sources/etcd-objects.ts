/**
 * Objects that were pushed to any of the services of one store: a key of etcd for each, which all of them watch.
 */
import type { Operation } from "../../etcd/etcd.ts";
import type { ObjectChange, ObjectDelta, ObjectStore } from "./object-store.ts";
import type { PushedObjects } from "./pushed-objects.ts";
import { WatchedObjects, type WatchedObjectsOptions } from "./watched-objects.ts";

const FOLDER = "objects/";
/** What etcd takes in one transaction, with room for what is around it. */
const MAX_OPERATIONS = 120;
const MAX_OCTETS = 1_000_000;

export class EtcdObjects implements PushedObjects {
  readonly #watched: WatchedObjects;

  constructor(options: Omit<WatchedObjectsOptions, "folder">) {
    this.#watched = new WatchedObjects({ ...options, folder: FOLDER });
  }

  get objects(): ObjectStore {
    return this.#watched.objects;
  }

  get listed(): Promise<void> {
    return this.#watched.listed;
  }

  /** What one transaction has room for is changed at once; what is more, one part after the other. */
  async apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    await this.listed;
    const changes = this.diff(delta);
    const operations = changes.map(({ key, after }): Operation => {
      const path = this.#watched.keyOf(key);
      return after === undefined ? { delete: path } : { put: path, value: Buffer.from(JSON.stringify(after.value)) };
    });
    await this.#watched.change(...parts(operations));
    return changes;
  }

  diff(delta: ObjectDelta): readonly ObjectChange[] {
    return this.objects.diff(delta);
  }

  async close(): Promise<void> {
    this.#watched.close();
  }
}

function parts(operations: readonly Operation[]): Operation[][] {
  const all: Operation[][] = [];
  let part: Operation[] = [];
  let octets = 0;
  for (const operation of operations) {
    const size = "put" in operation ? operation.value.length : 0;
    if (all.length === 0 || part.length === MAX_OPERATIONS || octets + size > MAX_OCTETS) {
      part = [];
      octets = 0;
      all.push(part);
    }
    part.push(operation);
    octets += size;
  }
  return all;
}
