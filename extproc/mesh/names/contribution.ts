/**
 * What one object says of one name.
 */
import type { Octets, RecordData } from "./wire.ts";

/** Whose name it is, and who else may know it: all names of a group are known to the same tenants. */
export interface Group {
  /** Empty for what everybody may know. */
  readonly namespace: string;
  /** Namespaces whose tenants may know it; undefined: all. */
  readonly exportTo: readonly string[] | undefined;
  /** Of the hosts that Sidecars tell from others, those that cover its names' host. */
  readonly facets?: readonly string[];
}

export interface Contribution {
  readonly name: Octets;
  /** It holds for every name below `name` that has nothing of its own. */
  readonly wildcard: boolean;
  readonly group: Group;
  readonly ttl: number;
  /** Without any, the name is there and has nothing (RFC 8020: an empty non-terminal). */
  readonly records: readonly RecordData[];
}

export const EVERYBODY: Group = { namespace: "", exportTo: undefined };

export function groupKey({ namespace, exportTo, facets = [] }: Group): string {
  const key = `${namespace}|${exportTo === undefined ? "*" : [...exportTo].sort().join(",")}`;
  return facets.length === 0 ? key : `${key}|${facets.join(",")}`;
}

/** Istio's exportTo: `*` is everybody, `.` its own namespace, `~` nobody. */
export function toGroup(namespace: string, exportTo: readonly string[], facets: readonly string[] = []): Group {
  const group = exportedTo(namespace, exportTo);
  return facets.length === 0 ? group : { ...group, facets };
}

function exportedTo(namespace: string, exportTo: readonly string[]): Group {
  const targets = exportTo.map((text) => text.trim()).filter((text) => text !== "");
  if (targets.length === 0 || targets.includes("*")) return { namespace, exportTo: undefined };
  const namespaces = targets.flatMap((text) => (text === "." ? [namespace] : text === "~" ? [] : [text]));
  return { namespace, exportTo: [...new Set(namespaces)].sort() };
}
