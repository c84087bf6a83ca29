/**
 * Objects that were pushed to any of the services of one store: a key of etcd for each, which all of them watch.
 */
import type { Etcd, Operation } from "../../etcd/etcd.ts";
import { keyOf, type MeshObject, type ObjectKey } from "./object.ts";
import type { ObjectChange, ObjectDelta, ObjectStore } from "./object-store.ts";
import type { PushedObjects } from "./pushed-objects.ts";
import { WatchedObjects, type WatchedObjectsOptions } from "./watched-objects.ts";

const FOLDER = "objects/";
/** What etcd takes in one transaction, with room for what is around it. */
const MAX_OPERATIONS = 120;
const MAX_OCTETS = 1_000_000;

export class EtcdObjects implements PushedObjects {
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

  /** What one transaction has room for is changed at once; what is more, one part after the other. */
  async apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    await this.listed;
    const changes = this.diff(delta);
    let revision: string | undefined;
    for (const operations of parts(changes)) revision = await this.#etcd.change([], operations);
    if (revision !== undefined) await this.#watched.reached(revision);
    return changes;
  }

  diff(delta: ObjectDelta): readonly ObjectChange[] {
    return this.objects.diff(delta);
  }

  async close(): Promise<void> {
    this.#watched.close();
  }
}

function* parts(changes: readonly ObjectChange[]): Generator<readonly Operation[]> {
  let operations: Operation[] = [];
  let octets = 0;
  for (const { key, after } of changes) {
    const operation = toOperation(key, after);
    const size = "put" in operation ? operation.value.length : 0;
    if (operations.length === MAX_OPERATIONS || (operations.length > 0 && octets + size > MAX_OCTETS)) {
      yield operations;
      operations = [];
      octets = 0;
    }
    operations.push(operation);
    octets += size;
  }
  if (operations.length > 0) yield operations;
}

function toOperation(key: ObjectKey, after: MeshObject | undefined): Operation {
  const path = `${FOLDER}${keyOf(key)}`;
  return after === undefined ? { delete: path } : { put: path, value: JSON.stringify(after.value) };
}
