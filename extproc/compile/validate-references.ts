/**
 * What tenants and upstreams say of each other: references, zones, servers.
 */
import { canonical } from "./canonical.ts";
import type { Findings, PolicySet } from "./policy-set.ts";

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

export function expectedOne(kind: string, name: string, known: ReadonlySet<string>): string {
  const names = [...known];
  const some = names.length > 5 ? `${names.slice(0, 5).join(", ")}, ...` : names.join(", ");
  return `expected an existing ${kind}${names.length > 0 ? ` (${some})` : ""}, got "${name}": there is none`;
}
