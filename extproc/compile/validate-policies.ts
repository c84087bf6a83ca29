/**
 * What policies say of tenants and of each other: whom they speak of, and which of two goes first.
 */
import { MAX_ALTERNATIVES } from "../compiled/layout.ts";
import { excludeEachOther } from "../resources/label-selector.ts";
import { type Policy, tierOf } from "../resources/policy-schema.ts";
import type { PrincipalPattern } from "../resources/principal.ts";
import type { Path } from "../resources/problem.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import type { Upstream } from "../resources/upstream-schema.ts";
import { canonical } from "./canonical.ts";
import { exceptionFor, isOpen, type Selector } from "./compile-conditions.ts";
import { compileResponseRules, MAX_RESPONSE_OCTETS, MAX_RESPONSE_RULES, measureRules } from "./compile-responses.ts";
import type { Findings, Located, PolicySet } from "./policy-set.ts";
import { expectedOne } from "./validate-references.ts";

type LocatedPolicy = Located<Policy>;

export function validatePolicies(
  { tenants, policies, upstreams, lists, settings }: PolicySet,
  findings: Findings,
): void {
  const known = new Set(tenants.map(({ resource }) => resource.metadata.name));
  for (const policy of policies) {
    const { subject, except } = policy.resource.spec;
    checkTenants(policy, ["spec", "subject", "tenants"], subject.tenants, known, findings);
    if (except !== undefined && "tenants" in except) {
      checkTenants(policy, ["spec", "except", "tenants"], except.tenants, known, findings);
    }
    warnOfTtl(policy, findings);
    checkRoutes(policy, tenants, upstreams, findings);
    checkLists(policy, lists, findings);
    checkDecisionPoints(policy, settings, findings);
  }
  checkNames(policies, findings);
  checkPriorities(policies, known, findings);
  checkChances(policies, known, findings);
  checkResponseRules(policies, known, findings);
  warnOfHiding(policies, tenants, findings);
}

function checkTenants(
  policy: LocatedPolicy,
  path: Path,
  tenants: readonly string[] | undefined,
  known: ReadonlySet<string>,
  findings: Findings,
): void {
  const seen = new Set<string>();
  for (const [index, tenant] of (tenants ?? []).entries()) {
    const place = [...path, index];
    if (!known.has(tenant)) findings.error(policy, place, expectedOne("Tenant", tenant, known));
    if (seen.has(tenant)) findings.error(policy, place, `expected each tenant once, got ${tenant} again`);
    seen.add(tenant);
  }
}

/** A tenant's own policy routes and mirrors to upstreams that the tenant has anyway. */
function checkRoutes(
  { resource, origin }: LocatedPolicy,
  tenants: readonly Located<Tenant>[],
  upstreams: readonly Located<Upstream>[],
  findings: Findings,
): void {
  const known = new Set(upstreams.map((upstream) => upstream.resource.metadata.name));
  const own = resource.kind === "DnsPolicy" ? resource.spec.subject.tenants[0] : undefined;
  const tenant = tenants.find((one) => one.resource.metadata.name === own)?.resource.spec;
  const allowed = new Set(tenant && [tenant.upstream, ...tenant.forward.map(({ upstream }) => upstream)]);
  for (const [index, { route, mirror }] of resource.spec.rules.entries()) {
    const place = route ?? mirror;
    if (place === undefined) continue;
    const path = ["spec", "rules", index, mirror === undefined ? "route" : "mirror", "upstream"];
    if (!known.has(place.upstream)) findings.error({ origin }, path, expectedOne("Upstream", place.upstream, known));
    else if (tenant !== undefined && !allowed.has(place.upstream)) {
      const message = `expected an upstream of Tenant ${own}, got ${place.upstream}: only a ClusterDnsPolicy gives a tenant another`;
      findings.error({ origin }, path, message);
    }
  }
}

function checkLists(policy: LocatedPolicy, lists: PolicySet["lists"], findings: Findings): void {
  const known = new Set(lists.map(({ resource }) => resource.metadata.name));
  for (const [index, { match }] of policy.resource.spec.rules.entries()) {
    for (const [position, name] of (match.lists ?? []).entries()) {
      if (known.has(name)) continue;
      findings.error(
        policy,
        ["spec", "rules", index, "match", "lists", position],
        expectedOne("NameList", name, known),
      );
    }
  }
}

function checkDecisionPoints(policy: LocatedPolicy, settings: PolicySet["settings"], findings: Findings): void {
  const known = new Set((settings?.resource.spec.decisionPoints ?? []).map(({ name }) => name));
  for (const [index, { decide }] of policy.resource.spec.rules.entries()) {
    if (decide === undefined || known.has(decide.by)) continue;
    const path = ["spec", "rules", index, "decide", "by"];
    findings.error(policy, path, expectedOne("decision point of Settings", decide.by, known));
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
    const { priority } = policy.resource.spec;
    const tier = tierOf(policy.resource);
    const clashes = new Set<LocatedPolicy>();
    for (const tenant of tenantsOf(policy.resource, tenants)) {
      const key = `${tier} ${priority} ${tenant}`;
      const rivals = taken.get(key);
      if (rivals === undefined) taken.set(key, [policy]);
      else {
        const other = rivals.find((rival) => rival !== policy && mayMeet(tenant, policy.resource, rival.resource));
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

/** Tenants of which some client at least may be a subject of the policy. */
function tenantsOf({ spec }: Policy, tenants: ReadonlySet<string>): readonly string[] {
  if (spec.mode === "Disabled") return [];
  return [...new Set(spec.subject.tenants ?? tenants)].filter((tenant) => {
    const except = exceptionFor(tenant, spec.except);
    return except === undefined || !isOpen(except);
  });
}

/** Whether two policies may both speak of one client of this tenant. */
function mayMeet(tenant: string, a: Policy, b: Policy): boolean {
  const [one, other] = [a.spec.subject, b.spec.subject];
  if (one.principals && other.principals && !somePair(one.principals, other.principals, patternsMeet)) return false;
  if (one.cidrs && other.cidrs && !somePair(one.cidrs, other.cidrs, (x, y) => x.overlaps(y))) return false;
  if (one.namespaces && other.namespaces && !somePair(one.namespaces, other.namespaces, (x, y) => x === y))
    return false;
  if (one.workloads && other.workloads && excludeEachOther(one.workloads, other.workloads)) return false;
  return !isWithin(one, exceptionFor(tenant, b.spec.except)) && !isWithin(other, exceptionFor(tenant, a.spec.except));
}

/** Whether every client of `who` is one of `except`. */
function isWithin(who: Selector, except: Selector | undefined): boolean {
  if (except === undefined) return false;
  const { principals, cidrs, namespaces, workloads } = except;
  return (
    (principals === undefined ||
      (who.principals?.every((inner) => principals.some((outer) => covers(outer, inner))) ?? false)) &&
    (cidrs === undefined ||
      (who.cidrs?.every((inner) => cidrs.some((outer) => outer.length <= inner.length && outer.overlaps(inner))) ??
        false)) &&
    (namespaces === undefined || (who.namespaces?.every((inner) => namespaces.includes(inner)) ?? false)) &&
    (workloads === undefined || (who.workloads !== undefined && canonical(who.workloads) === canonical(workloads)))
  );
}

function somePair<T>(a: readonly T[], b: readonly T[], meet: (x: T, y: T) => boolean): boolean {
  return a.some((x) => b.some((y) => meet(x, y)));
}

function patternsMeet(a: PrincipalPattern, b: PrincipalPattern): boolean {
  return (
    a.segments.length === b.segments.length &&
    a.segments.every((segment, index) => segment === "*" || b.segments[index] === "*" || segment === b.segments[index])
  );
}

function covers(outer: PrincipalPattern, inner: PrincipalPattern): boolean {
  return (
    outer.segments.length === inner.segments.length &&
    outer.segments.every((segment, index) => segment === "*" || segment === inner.segments[index])
  );
}

/** A verdict names each rule that may come up by chance, or by what was counted. */
function checkChances(policies: readonly LocatedPolicy[], tenants: ReadonlySet<string>, findings: Findings): void {
  const counts = new Map<string, number>();
  for (const policy of policies) {
    const { mode, rules } = policy.resource.spec;
    if (mode !== "Enforce") continue;
    const byChance = rules.filter(
      ({ mode, match, rateLimit }) => mode === "Enforce" && (match.percent !== undefined || rateLimit !== undefined),
    ).length;
    if (byChance === 0) continue;
    for (const tenant of tenantsOf(policy.resource, tenants)) {
      const count = (counts.get(tenant) ?? 0) + byChance;
      counts.set(tenant, count);
      if (count <= MAX_ALTERNATIVES || count - byChance > MAX_ALTERNATIVES) continue;
      const message = `expected at most ${MAX_ALTERNATIVES} rules with percent or rateLimit for one tenant, got ${count} for ${tenant}`;
      findings.error(policy, ["spec", "rules"], message);
      break;
    }
  }
}

/** A verdict has all of a tenant's response rules. */
function checkResponseRules(
  policies: readonly LocatedPolicy[],
  tenants: ReadonlySet<string>,
  findings: Findings,
): void {
  const totals = new Map<string, { rules: number; octets: number }>();
  for (const policy of policies) {
    const rules = compileResponseRules(policy.resource);
    if (rules.length === 0) continue;
    const octets = measureRules(rules);
    for (const tenant of tenantsOf(policy.resource, tenants)) {
      const total = totals.get(tenant) ?? { rules: 0, octets: 0 };
      totals.set(tenant, { rules: total.rules + rules.length, octets: total.octets + octets });
      const fits = total.rules + rules.length <= MAX_RESPONSE_RULES && total.octets + octets <= MAX_RESPONSE_OCTETS;
      if (fits) continue;
      const message = `expected at most ${MAX_RESPONSE_RULES} response rules and ${MAX_RESPONSE_OCTETS} octets of them for one tenant, got ${total.rules + rules.length} and ${total.octets + octets} for ${tenant}`;
      findings.error(policy, ["spec", "responseRules"], message);
      break;
    }
  }
}

/** A client may always keep its certificate to itself. */
function warnOfHiding(
  policies: readonly LocatedPolicy[],
  tenants: readonly Located<Tenant>[],
  findings: Findings,
): void {
  const open = new Set(
    tenants
      .filter(
        ({ resource: { spec } }) => spec.requires !== "principal" && spec.match.some((entry) => !entry.principals),
      )
      .map(({ resource }) => resource.metadata.name),
  );
  for (const policy of policies) {
    const { subject, except, rules } = policy.resource.spec;
    const escapes = subject.principals !== undefined && rules.some(({ action }) => action === "Deny");
    const gains = except?.principals !== undefined && rules.some(({ action }) => action !== "Deny");
    if (!escapes && !gains) continue;
    const tenant = tenantsOf(policy.resource, open).find((name) => open.has(name));
    if (tenant === undefined) continue;
    const field = escapes ? "subject" : "except";
    const message = `expected a tenant that requires a principal, got ${tenant}, whose clients may be known by address alone: who does not show its principal ${escapes ? "is not denied" : "is not excepted"} by this policy`;
    findings.warn(policy, ["spec", field, "principals"], message);
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
    const code = response?.code;
    if ((code !== "REFUSED" && code !== "Drop") || response?.ttl === undefined) continue;
    const message = `expected no ttl with ${code}, which clients do not cache: it has no effect`;
    findings.warn(policy, ["spec", "rules", index, "response", "ttl"], message);
  }
}
