/**
 * Objects whose ServiceEntries have in their status the virtual addresses that are written elsewhere.
 */
import type { HostAddress } from "./address-book.ts";
import type { MeshObject, ObjectOf } from "./sources/object.ts";
import type { AllObjects, ObjectChange } from "./sources/object-store.ts";
import type { ObjectKind } from "./sources/schema.ts";

export class AddressedObjects implements AllObjects {
  readonly #objects: AllObjects;
  /** By `NAMESPACE/NAME`. */
  readonly #addresses = new Map<string, readonly HostAddress[]>();
  readonly #listeners = new Set<(changes: readonly ObjectChange[]) => void>();

  constructor(objects: AllObjects) {
    this.#objects = objects;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** `path` is `NAMESPACE/NAME`; undefined: none any more. */
  setAddresses(path: string, addresses: readonly HostAddress[] | undefined): void {
    const [namespace = "", name = ""] = path.split("/");
    const before = this.get("ServiceEntry", namespace, name);
    if (addresses === undefined) this.#addresses.delete(path);
    else this.#addresses.set(path, addresses);
    const after = this.get("ServiceEntry", namespace, name);
    if (before === undefined) return;
    const change = { key: { kind: "ServiceEntry", namespace, name }, before, after } as const;
    for (const listener of [...this.#listeners]) listener([change]);
  }

  *all(): Generator<MeshObject> {
    for (const object of this.#objects.all()) yield this.#addressed(object);
  }

  *list<K extends ObjectKind>(kind: K): Generator<ObjectOf<K>> {
    for (const object of this.#objects.list(kind)) yield this.#addressed(object);
  }

  get<K extends ObjectKind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    const object = this.#objects.get(kind, namespace, name);
    return object && this.#addressed(object);
  }

  onChange(listener: (changes: readonly ObjectChange[]) => void): () => void {
    this.#listeners.add(listener);
    const stop = this.#objects.onChange((changes) => {
      listener(
        changes.map(({ key, before, after }) => ({
          key,
          before: before && this.#addressed(before),
          after: after && this.#addressed(after),
        })),
      );
    });
    return () => {
      stop();
      this.#listeners.delete(listener);
    };
  }

  #addressed<T extends MeshObject>(object: T): T {
    if (object.kind !== "ServiceEntry") return object;
    const given = this.#addresses.get(`${object.namespace}/${object.name}`);
    if (given === undefined) return object;
    const { value } = object;
    const others = (value.status?.addresses ?? []).filter(({ host }) => !given.some((one) => one.host === host));
    return { ...object, value: { ...value, status: { ...value.status, addresses: [...others, ...given] } } };
  }
}
