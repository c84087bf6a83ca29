/**
 * One object of the mesh, and how it is known.
 */
import { FOREIGN_KINDS } from "../../resources/foreign-kinds.ts";
import type { ObjectKind, ObjectValue } from "./schema.ts";

export interface ObjectKey {
  readonly kind: ObjectKind;
  /** Empty for kinds without namespaces. */
  readonly namespace: string;
  readonly name: string;
}

export type MeshObject = {
  [K in ObjectKind]: ObjectKey & { readonly kind: K; readonly value: ObjectValue<K> };
}[ObjectKind];
export type ObjectOf<K extends ObjectKind> = Extract<MeshObject, { readonly kind: K }>;

export function toObject(kind: ObjectKind, value: ObjectValue): MeshObject {
  const { name, namespace = "" } = value.metadata as { readonly name: string; readonly namespace?: string };
  return { kind, namespace, name, value } as MeshObject;
}

/** As people write it behind the kind: `NAMESPACE/NAME`, or `NAME` for kinds without namespaces. */
export function pathOf({ namespace, name }: Omit<ObjectKey, "kind">): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

export function keyOf(key: ObjectKey): string {
  return `${key.kind}/${pathOf(key)}`;
}

/** What a path means for a kind; without a namespace, it is `default`. */
export function parsePath(kind: ObjectKind, path: string): ObjectKey {
  const slash = path.indexOf("/");
  if (!FOREIGN_KINDS[kind].namespaced) return { kind, namespace: "", name: path };
  if (slash < 0) return { kind, namespace: "default", name: path };
  return { kind, namespace: path.slice(0, slash), name: path.slice(slash + 1) };
}
