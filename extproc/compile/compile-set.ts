/**
 * A valid policy set to its compiled form. Everything is numbered by name, so the same set compiles to the same bytes.
 */
import {
  EXPLAIN_CODE,
  EXPLAIN_FULL,
  EXPLAIN_NONE,
  EXPLAIN_RULE,
  SECTIONS,
  type SectionName,
  SUBJECT_FIRST_TENANT,
} from "../compiled/layout.ts";
import type { ListReference } from "../compiled/list-reference.ts";
import type { CompiledPolicy, CompiledTables } from "../compiled/snapshot.ts";
import type { NameList } from "../resources/list-schema.ts";
import { type Policy, TIERS, tierOf } from "../resources/policy-schema.ts";
import { EDE_CODES } from "../resources/response-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import type { Upstream } from "../resources/upstream-schema.ts";
import { bypassPolicies } from "./bypass-guard.ts";
import { shortHash } from "./canonical.ts";
import { compileClients } from "./compile-clients.ts";
import { ConditionCompiler } from "./compile-conditions.ts";
import { compileDenial } from "./compile-denial.ts";
import { compileGuards } from "./compile-guards.ts";
import { compileLimits } from "./compile-limits.ts";
import { compileMesh } from "./compile-mesh.ts";
import { compilePolicies } from "./compile-policies.ts";
import { ScheduleCompiler } from "./compile-schedules.ts";
import { compileConnections, compileTelemetry } from "./compile-telemetry.ts";
import { Intervals } from "./network-builder.ts";
import type { PolicySet } from "./policy-set.ts";
import { StringPool } from "./string-pool.ts";
import { TrieBuilder } from "./trie-builder.ts";
import { type CompiledUpstreams, compileUpstreams, viewOf } from "./upstreams.ts";
import { WordList } from "./word-list.ts";

/** The filter counts the decisions of a tenant by a subject's last 12 bits: all of its classes have them in common. */
const MIN_STRIDE = 4096;

const EXPLAIN = { Full: EXPLAIN_FULL, Rule: EXPLAIN_RULE, Code: EXPLAIN_CODE, None: EXPLAIN_NONE } as const;

export function compileSet(set: PolicySet): CompiledPolicy {
  const tenants = set.tenants.map(({ resource }) => resource);
  const policies = [
    ...set.policies.map(({ resource }) => resource),
    ...bypassPolicies(tenants, set.settings?.resource),
  ];
  const upstreamResources = set.upstreams.map(({ resource }) => resource);
  const strings = new StringPool();
  const trie = new TrieBuilder();
  const lists = new WordList();
  const intervals = new Intervals();
  const clients = compileClients(tenants, strings, trie, intervals);
  const upstreams = compileUpstreams(upstreamResources);
  const schedules = new ScheduleCompiler();
  const compiledPolicies = compilePolicies(
    policies,
    strings,
    trie,
    lists,
    schedules,
    set.lists.map(({ resource }) => resource.metadata.name),
    set.settings?.resource.spec.decisionPoints ?? [],
  );
  const conditions = new ConditionCompiler(trie, lists, intervals);
  const zones = new WordList();
  const tenantRecords = new WordList();
  const named = policiesByTenant(tenants, policies);
  const zoneCompiler = new ZoneCompiler(upstreamResources, upstreams, zones);
  const shared = lists.append(compiledPolicies.routes.map((name) => zoneCompiler.add(undefined, name, undefined)));
  const routesOf = (tenant: Tenant, routes: readonly string[]) => {
    const owner = ownerOf(tenant);
    if (owner === undefined) return shared;
    return lists.append(routes.map((name) => zoneCompiler.add(owner, name, undefined)));
  };
  for (const tenant of tenants) {
    const own = policiesOf(tenant, named.get(tenant.metadata.name) ?? [], conditions);
    const guards = compileGuards(tenant, set.settings?.resource);
    tenantRecords.push(
      strings.intern(tenant.metadata.name),
      tenant.spec.telemetry.log === "All" ? 1 : 0,
      lists.append(own.policies),
      own.policies.length / 2,
      tenant.spec.upstream === undefined ? 0 : zoneCompiler.add(ownerOf(tenant), tenant.spec.upstream, undefined) + 1,
      compileForward(tenant, trie, zoneCompiler),
      lists.append(own.conditions),
      own.conditions.length,
      routesOf(tenant, compiledPolicies.routes),
      EXPLAIN[tenant.spec.explain],
      Math.round((tenant.spec.telemetry.sample ?? 0) * 100),
      tenant.spec.onUnavailable === "Deny" ? 1 : 0,
      guards.length === 0 ? 0 : strings.intern(JSON.stringify(guards)) + 1,
      tenant.spec.telemetry.traceContext ? 1 : 0,
    );
  }
  const tenantIndex = strings.index(new Map(tenants.map(({ metadata }, number) => [metadata.name, number])));
  const { offsets, bytes } = strings.finish();
  const { nodes, edges, labels } = trie.finish(lists, bytes.length);
  const { principalRoot, evidence, tenantPods, ...clientSections } = clients;
  const tables: CompiledTables = {
    hash: hashOf(set),
    evidence: evidence | conditions.evidence,
    upstreams: upstreams.messages,
    clusters: upstreams.clusters,
    telemetry: compileTelemetry(tenants, set.settings?.resource),
    connections: { mode: compileConnections(set.settings?.resource).mode },
    unknownClient: compileDenial(
      set.settings?.resource.spec.unknownClient?.response,
      "REFUSED",
      EDE_CODES.Prohibited,
      "unknown client",
    ),
    mesh: compileMesh(
      tenants,
      set.sources.map(({ resource }) => resource),
      set.settings?.resource,
    ),
    lists: set.lists.map(({ resource }) => toReference(resource)),
    deciders: compiledPolicies.deciders,
    decidedByClient: tenants.map(({ metadata }) =>
      (named.get(metadata.name) ?? []).some(([, one]) => asksByClient(one)),
    ),
    limits: tenants.map((tenant) => compileLimits(tenant, set.settings?.resource)),
    principalRoot,
    pods: { tenants: tenantPods, selectors: conditions.pods },
    subjectRoot: conditions.root,
    subjectStride: Math.max(MIN_STRIDE, 2 ** Math.ceil(Math.log2(SUBJECT_FIRST_TENANT + tenants.length))),
    tenantCount: tenants.length,
    policyCount: policies.length,
    ruleCount: compiledPolicies.ruleCount,
  };
  return pack(
    {
      stringOffsets: offsets,
      nodes,
      edges,
      lists: lists.words(),
      policies: compiledPolicies.policies,
      rules: compiledPolicies.rules,
      tenants: tenantRecords.words(),
      conditions: conditions.finish(),
      ...schedules.finish(),
      zones: zones.words(),
      tenantIndex,
      ...clientSections,
      ...intervals.finish(),
    },
    [bytes, labels],
    tables,
  );
}

/** Whether some rule has decisions that are for one client each. */
function asksByClient({ spec: { rules } }: Policy): boolean {
  return rules.some(({ mode, decide }) => mode !== "Disabled" && decide?.byClient === true);
}

type NumberedPolicy = readonly [number: number, policy: Policy];

/** Policies whose subject names the tenant, or none, in the order in which they are asked: by tier, then by priority. */
function policiesByTenant(
  tenants: readonly Tenant[],
  policies: readonly Policy[],
): ReadonlyMap<string, readonly NumberedPolicy[]> {
  const rank = (policy: Policy) => TIERS.indexOf(tierOf(policy)) * 1024 + policy.spec.priority;
  const byTenant = new Map<string, NumberedPolicy[]>(tenants.map(({ metadata }) => [metadata.name, []]));
  for (const numbered of [...policies.entries()].sort(([, a], [, b]) => rank(a) - rank(b))) {
    for (const name of numbered[1].spec.subject.tenants ?? byTenant.keys()) byTenant.get(name)?.push(numbered);
  }
  return byTenant;
}

/** What lists have of a tenant: pairs of a policy and its condition + 1, and the conditions, each once. */
function policiesOf(
  { metadata }: Tenant,
  named: readonly NumberedPolicy[],
  compiler: ConditionCompiler,
): { readonly policies: readonly number[]; readonly conditions: readonly number[] } {
  const policies: number[] = [];
  const conditions = new Set<number>();
  for (const [number, policy] of named) {
    const bearing = compiler.bearingOn(metadata.name, policy);
    if (bearing === "none") continue;
    if (bearing !== "whole") conditions.add(bearing);
    policies.push(number, bearing === "whole" ? 0 : bearing + 1);
  }
  return { policies, conditions: [...conditions] };
}

function toReference({ metadata: { name }, spec }: NameList): ListReference {
  const { format, subdomains, inline = [], file, transfer } = spec;
  const place = transfer ? { transfer } : file === undefined ? { inline: inline.map(({ text }) => text) } : { file };
  return { name, format, subdomains, ...place } as ListReference;
}

class ZoneCompiler {
  readonly #byName: ReadonlyMap<string, Upstream>;
  readonly #upstreams: CompiledUpstreams;
  readonly #zones: WordList;
  #count = 0;

  constructor(resources: readonly Upstream[], upstreams: CompiledUpstreams, zones: WordList) {
    this.#byName = new Map(resources.map((upstream) => [upstream.metadata.name, upstream]));
    this.#upstreams = upstreams;
    this.#zones = zones;
  }

  /** The number of the zone; `owner`: the tenant that has a cache of its own. */
  add(owner: string | undefined, upstreamName: string, zone: string | undefined): number {
    const upstream = this.#byName.get(upstreamName);
    const id = this.#upstreams.ids.get(upstreamName);
    if (upstream === undefined || id === undefined) throw new Error(`expected Upstream ${upstreamName}, got none`);
    const view = BigInt(`0x${viewOf(upstream, zone, owner)}`);
    this.#zones.push(id, Number(view >> 32n), Number(view & 0xffffffffn));
    return this.#count++;
  }
}

function ownerOf({ metadata, spec }: Tenant): string | undefined {
  return spec.cache === "Own" ? metadata.name : undefined;
}

/** Root of the tenant's forward zones + 1; 0 where it has none. */
function compileForward(tenant: Tenant, trie: TrieBuilder, zones: ZoneCompiler): number {
  if (tenant.spec.forward.length === 0) return 0;
  const root = trie.addRoot();
  for (const { zones: names, upstream } of tenant.spec.forward) {
    for (const name of names) {
      trie.addBelow(trie.node(root, name.labels.toReversed()), zones.add(ownerOf(tenant), upstream, name.text));
    }
  }
  return root + 1;
}

/** Of what the set says: labels, annotations and comments are not part of it, and neither is the order of writing. */
function hashOf({ tenants, upstreams, policies, lists, sources, settings }: PolicySet): string {
  const resources = [...tenants, ...upstreams, ...policies, ...lists, ...sources, ...(settings ? [settings] : [])];
  return shortHash(
    resources.map(({ resource }) => [resource.kind, resource.metadata.name, resource.spec]),
    8,
  );
}

function pack(
  words: Readonly<Record<SectionName, Uint32Array>>,
  bytes: readonly Uint8Array[],
  tables: CompiledTables,
): CompiledPolicy {
  const directory: Partial<Record<SectionName, readonly [number, number]>> = {};
  let offset = 0;
  for (const name of SECTIONS) {
    directory[name] = [offset, words[name].length];
    offset += words[name].length;
  }
  const byteLength = bytes.reduce((sum, part) => sum + part.length, 0);
  const buffer = new SharedArrayBuffer(offset * 4 + byteLength);
  const target = new Uint32Array(buffer, 0, offset);
  for (const name of SECTIONS) target.set(words[name], directory[name]?.[0]);
  let at = offset * 4;
  for (const part of bytes) {
    new Uint8Array(buffer).set(part, at);
    at += part.length;
  }
  return {
    buffer,
    directory: { words: directory as Record<SectionName, readonly [number, number]>, bytes: [offset * 4, byteLength] },
    tables,
  };
}
