/**
 * Upstreams that no tenant and no rule sends anything to, and NameLists that no rule asks for.
 */
import type { Located, PolicySet } from "../compile/policy-set.ts";
import { type Finding, finding } from "./finding.ts";

export function lintUnused({ tenants, policies, upstreams, lists }: PolicySet): Finding[] {
  const upstreamNames = new Set<string>();
  const listNames = new Set<string>();
  // Whichever field names one: a field called `upstream` is always a reference, and so is one called `lists`.
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
    for (const [field, inner] of Object.entries(value)) {
      if (field === "upstream" && typeof inner === "string") upstreamNames.add(inner);
      else if (field === "lists" && Array.isArray(inner)) for (const name of inner) listNames.add(name);
      else collect(inner);
    }
  };
  for (const { resource } of [...tenants, ...policies]) collect(resource.spec);
  return [
    ...unused(upstreams, upstreamNames, "a tenant or a rule that goes to this Upstream"),
    ...unused(lists, listNames, "a rule that asks for this NameList"),
  ];
}

function unused(
  located: readonly Located<{ readonly metadata: { readonly name: string } }>[],
  used: ReadonlySet<string>,
  expected: string,
): Finding[] {
  return located.flatMap(({ resource, origin }) => {
    const { name } = resource.metadata;
    if (used.has(name)) return [];
    return [finding("unused", origin.problem(["metadata", "name"], `expected ${expected}, got none for ${name}`))];
  });
}
