/**
 * Whose a client is has to be clear from the set: no two tenants by equal right, and a word of warning where a client
 * becomes another tenant's by showing less (decide/client.ts tells how evidence is weighed).
 */

import { excludeEachOther } from "../resources/label-selector.ts";
import type { Network } from "../resources/network.ts";
import type { Path } from "../resources/problem.ts";
import type { MatchEntry, Tenant } from "../resources/tenant-schema.ts";
import { BlockIndex } from "./block-index.ts";
import { isOfPods } from "./compile-clients.ts";
import { type Findings, type Located, MAX_TENANTS_NAMED, type PolicySet } from "./policy-set.ts";

type LocatedTenant = Located<Tenant>;

export function validateTenants({ tenants }: PolicySet, findings: Findings): void {
  checkEqualRight(tenants, findings);
  checkPods(tenants, findings);
  warnOfMissingPrincipals(tenants, findings);
  checkCacheShares(tenants, findings);
}

/** What is left of the answer cache is for all other tenants. */
const MAX_CACHE_SHARES = 80;

function checkCacheShares(tenants: readonly LocatedTenant[], findings: Findings): void {
  let sum = 0;
  for (const tenant of tenants) {
    const share = tenant.resource.spec.limits?.cacheShare ?? 0;
    sum += share;
    if (sum <= MAX_CACHE_SHARES || sum - share > MAX_CACHE_SHARES) continue;
    const message = `expected at most ${MAX_CACHE_SHARES} percent of the cache as shares of all tenants, got ${sum}`;
    findings.error(tenant, ["spec", "limits", "cacheShare"], message);
  }
}

/** One way in which an entry matches. */
interface Way {
  readonly tenant: LocatedTenant;
  readonly path: Path;
  /** Principal pattern and CIDR: what gives right. */
  readonly right: string;
  /** Empty: any. */
  readonly serverName: string;
  readonly httpPath: string;
}

/**
 * Right comes from the principal pattern and the CIDR alone. With both the same, two tenants are told apart only by
 * server names or paths that exclude each other.
 */
function checkEqualRight(tenants: readonly LocatedTenant[], findings: Findings): void {
  const ways = new Map<string, Way[]>();
  for (const tenant of tenants) {
    const reported = new Set<LocatedTenant>();
    for (const way of tenant.resource.spec.match.flatMap((entry, index) => [...waysOf(tenant, entry, index)])) {
      const rivals = ways.get(way.right) ?? [];
      ways.set(way.right, rivals);
      const rival = rivals.find((other) => other.tenant !== tenant && canMeet(way, other));
      if (rival !== undefined && !reported.has(rival.tenant)) {
        reported.add(rival.tenant);
        const claim = [way.right, way.serverName, way.httpPath].filter((text) => text !== "").join(" with ");
        const name = rival.tenant.resource.metadata.name;
        const message = `expected clients of this tenant alone, got ${claim}, to which Tenant ${name} has equal right`;
        findings.error(tenant, way.path, message);
      }
      rivals.push(way);
    }
  }
}

function canMeet(a: Way, b: Way): boolean {
  const apart = (one: string, other: string) => one !== "" && other !== "" && one !== other;
  return !apart(a.serverName, b.serverName) && !apart(a.httpPath, b.httpPath);
}

/** Which pods there are is not known here: two entries that one pod could meet are too many. */
function checkPods(tenants: readonly LocatedTenant[], findings: Findings): void {
  const seen: { readonly tenant: LocatedTenant; readonly entry: MatchEntry }[] = [];
  for (const tenant of tenants) {
    for (const [index, entry] of tenant.resource.spec.match.entries()) {
      if (!isOfPods(entry)) continue;
      const rival = seen.find((other) => other.tenant !== tenant && podsMeet(entry, other.entry));
      if (rival !== undefined) {
        const message = `expected pods that no other tenant matches, got such as Tenant ${rival.tenant.resource.metadata.name} has equal right to: tell them apart by namespaces, or by one label`;
        findings.error(tenant, ["spec", "match", index], message);
      }
      seen.push({ tenant, entry });
    }
  }
}

function podsMeet(a: MatchEntry, b: MatchEntry): boolean {
  const meet = (one: readonly string[] | undefined, other: readonly string[] | undefined) =>
    one === undefined || other === undefined || one.some((text) => other.includes(text));
  return (
    meet(a.namespaces, b.namespaces) &&
    meet(a.serverNames, b.serverNames) &&
    meet(a.paths, b.paths) &&
    !excludeEachOther(a.podLabels ?? {}, b.podLabels ?? {})
  );
}

/** A tenant that requires a principal has its CIDRs whole, whatever server names or paths stand beside them. */
function* waysOf(tenant: LocatedTenant, entry: MatchEntry, index: number): Generator<Way> {
  if (isOfPods(entry)) return;
  const claimed = tenant.resource.spec.requires === "principal" && !entry.principals;
  if (claimed && !entry.cidrs) return;
  const serverNames = claimed ? [""] : (entry.serverNames ?? [""]);
  const httpPaths = claimed ? [""] : (entry.paths ?? [""]);
  for (const [p, principal] of (entry.principals ?? [undefined]).entries()) {
    for (const [c, cidr] of (entry.cidrs ?? [undefined]).entries()) {
      const right = [principal?.text, cidr?.text].filter((text) => text !== undefined).join(" from ");
      const field = cidr ? ["cidrs", c] : principal ? ["principals", p] : [entry.serverNames ? "serverNames" : "paths"];
      const path = ["spec", "match", index, ...field];
      for (const serverName of serverNames) {
        for (const httpPath of httpPaths) yield { tenant, path, right, serverName, httpPath };
      }
    }
  }
}

interface OwnBlock {
  readonly network: Network;
  readonly path: Path;
}

function* blocksOf({ resource }: LocatedTenant, addressOnly: boolean): Generator<OwnBlock> {
  for (const [index, { cidrs, principals }] of resource.spec.match.entries()) {
    if (addressOnly && principals) continue;
    for (const [position, network] of (cidrs ?? []).entries()) {
      yield { network, path: ["spec", "match", index, "cidrs", position] };
    }
  }
}

function warnOfMissingPrincipals(tenants: readonly LocatedTenant[], findings: Findings): void {
  const byAddress = tenants.filter((tenant) => tenant.resource.spec.requires !== "principal");
  const index = new BlockIndex(
    byAddress.flatMap((owner) => [...blocksOf(owner, true)].map(({ network }) => ({ network, owner }))),
  );
  for (const tenant of tenants) {
    const { match, requires } = tenant.resource.spec;
    const principals = match.findIndex((entry) => entry.principals);
    if (principals < 0) continue;
    const blocks = [...blocksOf(tenant, false)];
    if (blocks.length > 0) warnOfOverlaps(tenant, blocks, index, findings);
    else if (requires !== "principal") warnOfAnywhere(tenant, principals, byAddress, findings);
  }
}

function warnOfOverlaps(
  tenant: LocatedTenant,
  blocks: readonly OwnBlock[],
  index: BlockIndex<LocatedTenant>,
  findings: Findings,
): void {
  const requires = tenant.resource.spec.requires === "principal";
  const warned = new Set<LocatedTenant>([tenant]);
  for (const { network, path } of blocks) {
    for (const other of index.overlapping(network)) {
      if (warned.has(other.owner) || warned.size > MAX_TENANTS_NAMED) continue;
      warned.add(other.owner);
      const name = `Tenant ${other.owner.resource.metadata.name}`;
      const message = requires
        ? `expected no block of another tenant, got ${other.network.text} of ${name}: its clients from ${network.text} are denied, for lack of a principal of this one`
        : `expected no block of another tenant, got ${other.network.text} of ${name}, whose a client of this tenant from there becomes by not showing its principal (requires: principal denies it)`;
      findings.warn(tenant, path, message);
    }
  }
}

function warnOfAnywhere(
  tenant: LocatedTenant,
  entry: number,
  byAddress: readonly LocatedTenant[],
  findings: Findings,
): void {
  const others = byAddress.filter((other) => other !== tenant && !blocksOf(other, true).next().done);
  if (others.length === 0) return;
  const names = others.slice(0, MAX_TENANTS_NAMED).map(({ resource }) => resource.metadata.name);
  const message = `expected cidrs and requires: principal, got principals alone: a client that does not show its principal becomes whose its address is (${names.join(", ")}${others.length > names.length ? ", ..." : ""})`;
  findings.warn(tenant, ["spec", "match", entry, "principals"], message);
}
