/**
 * Which groups of names a tenant has, and whose come first.
 */
import type { MeshView } from "../../compiled/snapshot.ts";
import type { Group } from "./contribution.ts";
import type { NamedGroup } from "./entry.ts";
import type { Sidecars } from "./sidecars.ts";

/**
 * Its own namespaces' first, then the others' by name: of several that have one name, the first counts, and it is the
 * same one for ever.
 */
export function groupsOf(view: MeshView, groups: Iterable<NamedGroup>, sidecars: Sidecars): readonly NamedGroup[] {
  const own = new Set(view.own);
  const visible = [...groups].filter((group) => mayKnow(view, group, sidecars));
  return visible.sort((a, b) => rankOf(a, own) - rankOf(b, own) || (a.key < b.key ? -1 : 1));
}

/** Whether names of the group are among those that the view has. */
export function mayKnow({ own, namespaces }: MeshView, group: Group, sidecars: Sidecars): boolean {
  const { namespace, exportTo } = group;
  if (namespace === "") return true;
  if (namespaces !== undefined && !namespaces.includes(namespace)) return false;
  // Istio's exportTo is about the namespace of who asks; what is its own is its own all the same.
  if (exportTo !== undefined && !exportTo.some((target) => own.includes(target))) return false;
  return sidecars.admits(own, group);
}

function rankOf({ namespace }: NamedGroup, own: ReadonlySet<string>): number {
  return own.has(namespace) ? 0 : 1;
}
