/**
 * Every object of the mesh that is known now, and who wants to know what changes.
 *
 * Objects are no policy: they change a thousand times a second, and make no versions. A change is told with what was
 * there before, so that whoever derives something from objects derives the difference alone.
 */
import { keyOf, type MeshObject, type ObjectKey, type ObjectOf } from "./object.ts";
import { pack, saysTheSame } from "./packed-object.ts";
import type { ObjectKind } from "./schema.ts";

/** What became of one object: `before` is undefined for a new one, `after` for one that is gone. */
export interface ObjectChange {
  readonly key: ObjectKey;
  readonly before: MeshObject | undefined;
  readonly after: MeshObject | undefined;
}

/** To look at; the service's own is an ObjectStore. */
export interface MeshObjects {
  /** Of one kind, in no order. */
  list<K extends ObjectKind>(kind: K): Iterable<ObjectOf<K>>;
  get<K extends ObjectKind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined;
  readonly size: number;
  /** Called after changes, with all that were made at once. Returns how to stop. */
  onChange(listener: (changes: readonly ObjectChange[]) => void): () => void;
}

/** Of all kinds, too. */
export interface AllObjects extends MeshObjects {
  all(): Iterable<MeshObject>;
}

export interface ObjectDelta {
  readonly set?: readonly MeshObject[];
  readonly delete?: readonly ObjectKey[];
  /** What is set becomes all there is. */
  readonly replace?: boolean;
}

export class ObjectStore implements AllObjects {
  readonly #kinds = new Map<ObjectKind, Map<string, MeshObject>>();
  readonly #listeners = new Set<(changes: readonly ObjectChange[]) => void>();

  get size(): number {
    let size = 0;
    for (const objects of this.#kinds.values()) size += objects.size;
    return size;
  }

  list<K extends ObjectKind>(kind: K): Iterable<ObjectOf<K>> {
    return (this.#kinds.get(kind)?.values() ?? []) as Iterable<ObjectOf<K>>;
  }

  get<K extends ObjectKind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    return this.#find({ kind, namespace, name }) as ObjectOf<K> | undefined;
  }

  *all(): Generator<MeshObject> {
    for (const objects of this.#kinds.values()) yield* objects.values();
  }

  /** What a delta would change. What is set to what it is already, changes nothing. */
  diff({ set = [], delete: deletions = [], replace = false }: ObjectDelta): readonly ObjectChange[] {
    const changes: ObjectChange[] = [];
    const kept = new Set<string>();
    for (const object of set) {
      const after = pack(object);
      if (replace) kept.add(keyOf(after));
      const before = this.#find(after);
      if (before !== undefined && saysTheSame(before, after)) continue;
      changes.push({ key: toKey(after), before, after });
    }
    const gone = replace ? [...this.all()].filter((object) => !kept.has(keyOf(object))) : deletions;
    for (const key of gone) {
      const before = this.#find(key);
      if (before !== undefined) changes.push({ key: toKey(key), before, after: undefined });
    }
    return changes;
  }

  apply(delta: ObjectDelta): readonly ObjectChange[] {
    const changes = this.diff(delta);
    if (changes.length === 0) return changes;
    for (const { key, after } of changes) {
      const objects = this.#kinds.get(key.kind) ?? new Map<string, MeshObject>();
      this.#kinds.set(key.kind, objects);
      if (after === undefined) objects.delete(`${key.namespace}/${key.name}`);
      else objects.set(`${key.namespace}/${key.name}`, after);
    }
    for (const listener of [...this.#listeners]) listener(changes);
    return changes;
  }

  onChange(listener: (changes: readonly ObjectChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #find({ kind, namespace, name }: ObjectKey): MeshObject | undefined {
    return this.#kinds.get(kind)?.get(`${namespace}/${name}`);
  }
}

function toKey({ kind, namespace, name }: ObjectKey): ObjectKey {
  return { kind, namespace, name };
}
