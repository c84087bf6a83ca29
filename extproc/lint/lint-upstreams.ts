/**
 * Upstreams that no tenant and no rule sends anything to.
 */
import type { PolicySet } from "../compile/policy-set.ts";
import { type Finding, finding } from "./finding.ts";

export function lintUpstreams({ tenants, policies, upstreams }: PolicySet): Finding[] {
  const used = new Set<string>();
  // Whichever field names one: a field called `upstream` is always a reference.
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
    for (const [field, inner] of Object.entries(value)) {
      if (field === "upstream" && typeof inner === "string") used.add(inner);
      else collect(inner);
    }
  };
  for (const { resource } of [...tenants, ...policies]) collect(resource.spec);
  return upstreams.flatMap(({ resource, origin }) => {
    const { name } = resource.metadata;
    if (used.has(name)) return [];
    const message = `expected a tenant or a rule that goes to this Upstream, got none for ${name}`;
    return [finding("unused", origin.problem(["metadata", "name"], message))];
  });
}
