/**
 * All resources together, by kind, in the order in which everything numbers them: by name.
 */

import type { NameList } from "../resources/list-schema.ts";
import type { MeshSource } from "../resources/mesh-source-schema.ts";
import type { Origin } from "../resources/origin.ts";
import type { LocatedResource } from "../resources/parse.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { Path, Problem } from "../resources/problem.ts";
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import type { Upstream } from "../resources/upstream-schema.ts";

export interface Located<T> {
  readonly resource: T;
  readonly origin: Origin;
}

export interface PolicySet {
  readonly tenants: readonly Located<Tenant>[];
  readonly upstreams: readonly Located<Upstream>[];
  readonly policies: readonly Located<Policy>[];
  readonly lists: readonly Located<NameList>[];
  readonly sources: readonly Located<MeshSource>[];
  readonly settings: Located<Settings> | undefined;
}

/** Collects what is wrong, each problem at the field that has to change. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];

  error({ origin }: { readonly origin: Origin }, path: Path, message: string): void {
    if (this.problems.length < MAX_FINDINGS) this.problems.push(origin.problem(path, message));
  }

  warn({ origin }: { readonly origin: Origin }, path: Path, message: string): void {
    if (this.warnings.length < MAX_FINDINGS) this.warnings.push(origin.problem(path, message));
  }
}

/** Nobody reads more, and each costs a parse of its document. */
const MAX_FINDINGS = 200;

/** One tenant's warnings name so many others. */
export const MAX_TENANTS_NAMED = 10;

export function keyOf(resource: { readonly kind: string; readonly metadata: { readonly name: string } }): string {
  return `${resource.kind}/${resource.metadata.name}`;
}

/** Ordered by kind, then name. Of duplicates the first is kept, and the others are problems. */
export function orderResources(resources: readonly LocatedResource[], findings: Findings): LocatedResource[] {
  const byKey = new Map<string, LocatedResource>();
  for (const located of resources) {
    const key = keyOf(located.resource);
    const first = byKey.get(key);
    if (first === undefined) {
      byKey.set(key, located);
      continue;
    }
    const { source, document } = first.origin;
    const place = document > 0 ? `${source}, document ${document}` : source;
    findings.error(located, ["metadata", "name"], `expected one ${key}, got another one: the first is in ${place}`);
  }
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, located]) => located);
}

export function toPolicySet(ordered: readonly LocatedResource[]): PolicySet {
  const tenants: Located<Tenant>[] = [];
  const upstreams: Located<Upstream>[] = [];
  const policies: Located<Policy>[] = [];
  const lists: Located<NameList>[] = [];
  const sources: Located<MeshSource>[] = [];
  let settings: Located<Settings> | undefined;
  for (const { resource, origin } of ordered) {
    if (resource.kind === "Tenant") tenants.push({ resource, origin });
    else if (resource.kind === "Upstream") upstreams.push({ resource, origin });
    else if (resource.kind === "DnsPolicy" || resource.kind === "ClusterDnsPolicy") policies.push({ resource, origin });
    else if (resource.kind === "NameList") lists.push({ resource, origin });
    else if (resource.kind === "MeshSource") sources.push({ resource, origin });
    else settings = { resource, origin };
  }
  return { tenants, upstreams, policies, lists, sources, settings };
}
