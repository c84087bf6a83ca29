/**
 * What a tenant's editor may change: DnsPolicies whose subject is that tenant and no other, before and after.
 */
import type { LocatedResource } from "../resources/parse.ts";
import type { Problem } from "../resources/problem.ts";
import type { Resource } from "../resources/schema.ts";
import type { ResourceChange } from "./change.ts";

/** Nobody reads more. */
const MAX_PROBLEMS = 20;

/** Also of what would stay as it is: comments are a change, too. */
export function findForbidden(
  changes: readonly ResourceChange[],
  before: ReadonlyMap<string, LocatedResource>,
  after: ReadonlyMap<string, LocatedResource>,
  tenant: string,
): Problem[] {
  return changes
    .flatMap(({ kind, name }) => {
      const key = `${kind}/${name}`;
      const involved = [after.get(key), before.get(key)].filter((located) => located !== undefined);
      const foreign = involved.find(({ resource }) => !speaksOfOnly(resource, tenant));
      if (foreign === undefined && kind === "DnsPolicy") return [];
      const message = `expected a DnsPolicy of tenant ${tenant} alone, got ${describe(key, foreign?.resource)}`;
      if (foreign !== undefined) return [foreign.origin.problem(pathOf(foreign.resource), message)];
      return [{ source: "request", document: 0, line: 0, path: "", message }];
    })
    .slice(0, MAX_PROBLEMS);
}

function speaksOfOnly(resource: Resource, tenant: string): boolean {
  return resource.kind === "DnsPolicy" && resource.spec.subject.tenants.every((name) => name === tenant);
}

function pathOf({ kind }: Resource): string[] {
  return kind === "DnsPolicy" ? ["spec", "subject", "tenants"] : ["kind"];
}

function describe(key: string, resource: Resource | undefined): string {
  return resource?.kind === "DnsPolicy" ? `${key} of ${resource.spec.subject.tenants.join(", ")}` : key;
}
