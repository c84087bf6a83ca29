/**
 * What a change says of objects of the mesh: they are asked for in the same way as resources of the policy, and make
 * no version of it.
 */
import type { Change, ResourceChange } from "../compile/change.ts";
import type { MadeChange } from "../mesh/mesh-room.ts";
import { type ObjectKey, parsePath, pathOf } from "../mesh/sources/object.ts";
import type { ObjectDelta } from "../mesh/sources/object-store.ts";
import type { ObjectSource, ParsedObjects } from "../mesh/sources/parse-objects.ts";
import { isForeignKind } from "../resources/foreign-kinds.ts";
import type { Problem } from "../resources/problem.ts";

export interface MeshChange {
  readonly delta: ObjectDelta;
  readonly problems: readonly Problem[];
  /** What the change says of the policy; undefined where that is nothing. */
  readonly policy: Change | undefined;
}

/** Reads YAML; somewhere else than in the thread that decides. */
export type ReadObjects = (sources: readonly ObjectSource[]) => Promise<ParsedObjects>;

/** Undefined for a change that speaks of the policy alone. */
export async function readMeshChange(read: ReadObjects, change: Change): Promise<MeshChange | undefined> {
  const { upsert = [], delete: deletions = [], prune = false } = change;
  const { objects, others, problems } = await read(upsert);
  const keys: ObjectKey[] = deletions.flatMap(({ kind, name }) => (isForeignKind(kind) ? [parsePath(kind, name)] : []));
  if (objects.length === 0 && problems.length === 0 && keys.length === 0) return undefined;
  const rest = deletions.filter(({ kind }) => !isForeignKind(kind));
  // Whoever sends objects alone means nothing about the policy, and the other way round.
  const delta = { set: objects, delete: keys, replace: prune && objects.length > 0 };
  return { delta, problems, policy: others || rest.length > 0 ? { ...change, delete: rest } : undefined };
}

/** Of each object that the change speaks of, and of those that it pruned. */
export function describeChanges({ set = [], delete: deletions = [] }: ObjectDelta, made: readonly MadeChange[]) {
  const changes = new Map<string, ResourceChange>();
  const add = (key: ObjectKey, change: ResourceChange["change"]) => {
    changes.set(`${key.kind}/${pathOf(key)}`, { kind: key.kind, name: pathOf(key), change });
  };
  for (const object of set) add(object, "unchanged");
  for (const key of deletions) add(key, "absent");
  for (const { key, change } of made) add(key, change);
  return [...changes.values()];
}
