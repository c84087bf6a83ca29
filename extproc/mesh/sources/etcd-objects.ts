/**
 * Objects that were pushed to any of the services of one store: a key of etcd for each, which all of them watch.
 */
import type { Etcd, KeyValue, Operation } from "../../etcd/etcd.ts";
import { KeyWatch } from "../../etcd/key-watch.ts";
import { readObject } from "./journal.ts";
import { keyOf, type MeshObject, type ObjectKey } from "./object.ts";
import { type ObjectChange, type ObjectDelta, ObjectStore } from "./object-store.ts";
import type { PushedObjects } from "./pushed-objects.ts";
import type { ObjectKind } from "./schema.ts";

export interface EtcdObjectsOptions {
  readonly etcd: Etcd;
  readonly after: (milliseconds: number, task: () => void) => () => void;
  readonly onProblem: (fields: object, message: string) => void;
}

const FOLDER = "objects/";
/** What etcd takes in one transaction, with room for what is around it. */
const MAX_OPERATIONS = 120;
const MAX_OCTETS = 1_000_000;

export class EtcdObjects implements PushedObjects {
  readonly objects = new ObjectStore();
  readonly listed: Promise<void>;
  readonly #options: EtcdObjectsOptions;
  readonly #watch: KeyWatch;

  constructor(options: EtcdObjectsOptions) {
    this.#options = options;
    this.#watch = new KeyWatch(options.etcd, {
      folder: FOLDER,
      after: options.after,
      onChange: (set, gone) => this.#take(set, gone),
      onFailed: (error) => options.onProblem({ err: error }, "objects in etcd cannot be watched: what is known stays"),
    });
    this.listed = this.#watch.listed;
  }

  /** What one transaction has room for is changed at once; what is more, one part after the other. */
  async apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    await this.listed;
    const changes = this.diff(delta);
    let revision: string | undefined;
    for (const operations of parts(changes)) revision = await this.#options.etcd.change([], operations);
    if (revision !== undefined) await this.#watch.reached(revision);
    return changes;
  }

  diff(delta: ObjectDelta): readonly ObjectChange[] {
    return this.objects.diff(delta);
  }

  async close(): Promise<void> {
    this.#watch.close();
  }

  #take(set: readonly KeyValue[], gone: readonly string[]): void {
    const read = set.map(({ key, value }) => ({ key, object: readObject(parse(value)) }));
    const unknown = read.filter(({ object }) => object === undefined).map(({ key }) => key);
    for (const key of unknown)
      this.#options.onProblem({ key }, "an object in etcd is passed by: this release cannot read it");
    this.objects.apply({
      set: read.flatMap(({ object }) => (object === undefined ? [] : [object])),
      delete: [...gone, ...unknown].map(toKey),
    });
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

/** Of `objects/KIND/NAMESPACE/NAME`, or `objects/KIND/NAME`. */
function toKey(key: string): ObjectKey {
  const [kind = "", ...path] = key.slice(FOLDER.length).split("/");
  return { kind: kind as ObjectKind, namespace: path.length > 1 ? (path[0] ?? "") : "", name: path.at(-1) ?? "" };
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    return undefined;
  }
}
