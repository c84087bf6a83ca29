/**
 * What tenants and upstreams say of each other: references, zones, servers.
 */
import type { Tenant } from "../resources/tenant-schema.ts";
import { canonical } from "./canonical.ts";
import { ownNamespaces } from "./compile-mesh.ts";
import type { Findings, Located, PolicySet } from "./policy-set.ts";

export function validateReferences(set: PolicySet, findings: Findings): void {
  checkUpstreams(set, findings);
  checkTenants(set, findings);
}

function checkUpstreams({ upstreams }: PolicySet, findings: Findings): void {
  for (const upstream of upstreams) {
    const seen = new Map<string, number>();
    for (const [index, server] of upstream.resource.spec.servers.entries()) {
      const key = canonical(server);
      const first = seen.get(key);
      if (first === undefined) seen.set(key, index);
      else
        findings.error(
          upstream,
          ["spec", "servers", index],
          `expected another server than spec.servers[${first}], got the same`,
        );
    }
  }
}

function checkTenants({ tenants, upstreams }: PolicySet, findings: Findings): void {
  const known = new Set(upstreams.map(({ resource }) => resource.metadata.name));
  for (const tenant of tenants) {
    const { upstream, forward } = tenant.resource.spec;
    checkIsolation(tenant, tenants, findings);
    if (upstream !== undefined && !known.has(upstream)) {
      findings.error(tenant, ["spec", "upstream"], expectedOne("Upstream", upstream, known));
    }
    const zones = new Map<string, string>();
    for (const [index, entry] of forward.entries()) {
      if (!known.has(entry.upstream)) {
        findings.error(tenant, ["spec", "forward", index, "upstream"], expectedOne("Upstream", entry.upstream, known));
      }
      for (const [position, zone] of entry.zones.entries()) {
        const first = zones.get(zone.text);
        const path = `spec.forward[${index}].zones[${position}]`;
        if (first === undefined) zones.set(zone.text, path);
        else {
          const message = `expected a zone of its own, got ${zone.text}, which ${first} has`;
          findings.error(tenant, ["spec", "forward", index, "zones", position], message);
        }
      }
    }
    if (upstream === undefined && !zones.has(".")) {
      findings.warn(tenant, ["spec"], "expected an upstream, got none: names of no forward zone are refused");
    }
  }
}

/** Namespaces are what names of the mesh belong to: a tenant without any has no own ones, and none to share. */
function checkIsolation(tenant: Located<Tenant>, tenants: readonly Located<Tenant>[], findings: Findings): void {
  const { isolation } = tenant.resource.spec;
  if (isolation === undefined) return;
  const byName = new Map(tenants.map((one) => [one.resource.metadata.name, one.resource]));
  for (const [index, name] of (isolation.from ?? []).entries()) {
    const other = byName.get(name);
    const path = ["spec", "isolation", "from", index];
    if (other === undefined) findings.error(tenant, path, expectedOne("Tenant", name, new Set(byName.keys())));
    else if (ownNamespaces(other).length === 0) {
      findings.warn(tenant, path, `expected a tenant with namespaces, got ${name}, which has none: it shares no name`);
    }
  }
  if (isolation.discover === "Own" && isolation.from === undefined && ownNamespaces(tenant.resource).length === 0) {
    const expected = "expected namespaces, or principals of one, beside it";
    findings.warn(tenant, ["spec", "isolation"], `${expected}, got none: no name of the mesh is this tenant's own`);
  }
}

export function expectedOne(kind: string, name: string, known: ReadonlySet<string>): string {
  const names = [...known];
  const some = names.length > 5 ? `${names.slice(0, 5).join(", ")}, ...` : names.join(", ");
  return `expected an existing ${kind}${names.length > 0 ? ` (${some})` : ""}, got "${name}": there is none`;
}
