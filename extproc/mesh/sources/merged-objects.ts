/**
 * Objects of two origins as one: what the first has comes before what the second has of the same kind and name.
 */
import type { MeshObject, ObjectKey, ObjectOf } from "./object.ts";
import type { AllObjects, MeshObjects, ObjectChange } from "./object-store.ts";
import type { ObjectKind } from "./schema.ts";

export class MergedObjects implements AllObjects {
  readonly #first: AllObjects;
  readonly #second: AllObjects;

  constructor(first: AllObjects, second: AllObjects) {
    this.#first = first;
    this.#second = second;
  }

  *all(): Generator<MeshObject> {
    yield* this.#first.all();
    for (const object of this.#second.all()) if (find(this.#first, object) === undefined) yield object;
  }

  get size(): number {
    return this.#first.size + this.#second.size;
  }

  *list<K extends ObjectKind>(kind: K): Generator<ObjectOf<K>> {
    yield* this.#first.list(kind);
    for (const object of this.#second.list(kind)) {
      if (find(this.#first, object) === undefined) yield object;
    }
  }

  get<K extends ObjectKind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    return this.#first.get(kind, namespace, name) ?? this.#second.get(kind, namespace, name);
  }

  /** Each change as it looks from outside: one that is hidden by the first origin is none. */
  onChange(listener: (changes: readonly ObjectChange[]) => void): () => void {
    const tell = (changes: readonly ObjectChange[]) => {
      if (changes.length > 0) listener(changes);
    };
    const stops = [
      this.#first.onChange((changes) => {
        tell(
          changes.map(({ key, before, after }) => {
            const below = find(this.#second, key);
            return { key, before: before ?? below, after: after ?? below };
          }),
        );
      }),
      this.#second.onChange((changes) => tell(changes.filter(({ key }) => find(this.#first, key) === undefined))),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }
}

function find(store: MeshObjects, { kind, namespace, name }: ObjectKey): MeshObject | undefined {
  return store.get(kind, namespace, name);
}
