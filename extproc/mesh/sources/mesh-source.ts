/**
 * The objects of the mesh that this service knows: those that were pushed, and those of a live API.
 */
import { stringify } from "yaml";
import type { KubernetesSource } from "./kubernetes.ts";
import { MergedObjects } from "./merged-objects.ts";
import { type MeshObject, pathOf } from "./object.ts";
import { type ObjectChange, type ObjectDelta, ObjectStore } from "./object-store.ts";
import type { PushedObjects } from "./pushed-objects.ts";

/** An object as it is listed: in its owner's format, with the fields that are used. */
export interface ListedObject {
  readonly kind: string;
  /** `NAMESPACE/NAME`, or `NAME` for kinds without namespaces. */
  readonly name: string;
  readonly text: string;
}

export class MeshSource {
  /** Of two of one name, the pushed one. */
  readonly objects: MergedObjects;
  /** Resolved when all there is has been told. */
  readonly listed: Promise<void>;
  readonly #pushed: PushedObjects;

  constructor(pushed: PushedObjects, live?: Pick<KubernetesSource, "objects" | "listed">) {
    this.#pushed = pushed;
    this.objects = new MergedObjects(pushed.objects, live?.objects ?? new ObjectStore());
    this.listed = Promise.all([pushed.listed, live?.listed]).then(() => {});
  }

  /** In force and kept when this is resolved. */
  apply(delta: ObjectDelta): Promise<readonly ObjectChange[]> {
    return this.#pushed.apply(delta);
  }

  /** What apply() would change. */
  diff(delta: ObjectDelta): readonly ObjectChange[] {
    return this.#pushed.diff(delta);
  }

  close(): Promise<void> {
    return this.#pushed.close();
  }
}

export function toListed(object: MeshObject): ListedObject {
  return { kind: object.kind, name: pathOf(object), text: stringify(object.value, { lineWidth: 0 }) };
}
