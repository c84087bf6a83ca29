/**
 * Objects in keys of etcd below one folder, `KIND/NAMESPACE/NAME` or `KIND/NAME` of each, as they are watched.
 */
import type { Etcd, KeyValue, Operation } from "../../etcd/etcd.ts";
import { KeyWatch } from "../../etcd/key-watch.ts";
import { readObject } from "./journal.ts";
import { keyOf, type ObjectKey } from "./object.ts";
import { ObjectStore } from "./object-store.ts";
import type { ObjectKind } from "./schema.ts";

export interface WatchedObjectsOptions {
  readonly etcd: Etcd;
  readonly folder: string;
  readonly after: (milliseconds: number, task: () => void) => () => void;
  readonly onProblem: (fields: object, message: string) => void;
}

export class WatchedObjects {
  readonly objects = new ObjectStore();
  /** Resolved when all are known. */
  readonly listed: Promise<void>;
  readonly #options: WatchedObjectsOptions;
  readonly #watch: KeyWatch;

  constructor(options: WatchedObjectsOptions) {
    const { etcd, folder, after, onProblem } = options;
    this.#options = options;
    this.#watch = new KeyWatch(etcd, {
      folder,
      after,
      onChange: (set, gone) => this.#take(set, gone),
      onFailed: (error) => onProblem({ folder, err: error }, "objects in etcd cannot be watched: what is known stays"),
    });
    this.listed = this.#watch.listed;
  }

  /** Where this object is. */
  keyOf(key: ObjectKey): string {
    return `${this.#options.folder}${keyOf(key)}`;
  }

  /** Each part in a transaction, one after the other; resolved when all that is among the objects. */
  async change(...parts: (readonly Operation[])[]): Promise<void> {
    let revision: string | undefined;
    for (const operations of parts) revision = await this.#options.etcd.change([], operations);
    if (revision !== undefined) await this.#watch.reached(revision);
  }

  close(): void {
    this.#watch.close();
  }

  #take(set: readonly KeyValue[], gone: readonly string[]): void {
    const read = set.map(({ key, value }) => ({ key, object: readObject(parse(value)) }));
    const unknown = read.filter(({ object }) => object === undefined).map(({ key }) => key);
    for (const key of unknown) {
      this.#options.onProblem({ key }, "an object in etcd is passed by: this release cannot read it");
    }
    this.objects.apply({
      set: read.flatMap(({ object }) => (object === undefined ? [] : [object])),
      delete: [...gone, ...unknown].map((key) => toKey(key.slice(this.#options.folder.length))),
    });
  }
}

function toKey(path: string): ObjectKey {
  const [kind = "", ...names] = path.split("/");
  return { kind: kind as ObjectKind, namespace: names.length > 1 ? (names[0] ?? "") : "", name: names.at(-1) ?? "" };
}

function parse(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    return undefined;
  }
}
