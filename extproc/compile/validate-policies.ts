/**
 * What policies say of tenants and of each other: whom they speak of, and which of two goes first.
 */
import { type Policy, tierOf } from "../resources/schema.ts";
import type { Findings, Located, PolicySet } from "./policy-set.ts";
import { expectedOne } from "./validate-references.ts";

type LocatedPolicy = Located<Policy>;

export function validatePolicies({ tenants, policies }: PolicySet, findings: Findings): void {
  const known = new Set(tenants.map(({ resource }) => resource.metadata.name));
  for (const policy of policies) {
    checkTenants(policy, known, findings);
    warnOfTtl(policy, findings);
  }
  checkNames(policies, findings);
  checkPriorities(policies, known, findings);
}

function checkTenants(policy: LocatedPolicy, known: ReadonlySet<string>, findings: Findings): void {
  const seen = new Set<string>();
  for (const [index, tenant] of (policy.resource.spec.subject.tenants ?? []).entries()) {
    const path = ["spec", "subject", "tenants", index];
    if (!known.has(tenant)) findings.error(policy, path, expectedOne("Tenant", tenant, known));
    if (seen.has(tenant)) findings.error(policy, path, `expected each tenant once, got ${tenant} again`);
    seen.add(tenant);
  }
}

/** Denials name a policy by its name alone. */
function checkNames(policies: readonly LocatedPolicy[], findings: Findings): void {
  const clusterWide = new Map<string, LocatedPolicy>();
  for (const policy of policies) {
    const { kind, metadata } = policy.resource;
    if (kind === "ClusterDnsPolicy") clusterWide.set(metadata.name, policy);
  }
  for (const policy of policies) {
    const { kind, metadata } = policy.resource;
    const other = clusterWide.get(metadata.name);
    if (kind === "ClusterDnsPolicy" || other === undefined) continue;
    const message = `expected a name that no ClusterDnsPolicy has, got that of ${placeOf(other, ["metadata", "name"])}: a denial does not tell the two apart`;
    findings.warn(policy, ["metadata", "name"], message);
  }
}

/** Of two policies of one tier that speak of one client, one has to go first. */
function checkPriorities(policies: readonly LocatedPolicy[], tenants: ReadonlySet<string>, findings: Findings): void {
  // (tier, priority, tenant) -> the policies that have it.
  const taken = new Map<string, LocatedPolicy[]>();
  for (const policy of policies) {
    const { subject, priority, mode } = policy.resource.spec;
    if (mode === "Disabled") continue;
    const tier = tierOf(policy.resource);
    const clashes = new Set<LocatedPolicy>();
    for (const tenant of subject.tenants ?? tenants) {
      const key = `${tier} ${priority} ${tenant}`;
      const rivals = taken.get(key);
      if (rivals === undefined) taken.set(key, [policy]);
      else {
        const other = rivals.find((rival) => rival !== policy);
        if (other !== undefined && !clashes.has(other)) {
          clashes.add(other);
          const message = `expected a priority of its own in tier ${tier} for tenant ${tenant}, got ${priority}, which ${placeOf(other, ["spec", "priority"])} has`;
          findings.error(policy, ["spec", "priority"], message);
        }
        rivals.push(policy);
      }
    }
  }
}

/** `DnsPolicy name (file, document 2, line 14)`. */
function placeOf({ resource, origin }: LocatedPolicy, path: readonly (string | number)[]): string {
  const { source, document, line } = origin.problem(path, "");
  const place = [source, document > 0 ? `document ${document}` : "", `line ${line}`].filter((part) => part !== "");
  return `${resource.kind} ${resource.metadata.name} (${place.join(", ")})`;
}

function warnOfTtl(policy: LocatedPolicy, findings: Findings): void {
  for (const [index, { response }] of policy.resource.spec.rules.entries()) {
    if (response?.code !== "REFUSED" || response.ttl === undefined) continue;
    const message = "expected no ttl with REFUSED, which clients do not cache: it has no effect";
    findings.warn(policy, ["spec", "rules", index, "response", "ttl"], message);
  }
}
