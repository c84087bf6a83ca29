/**
 * Every rule that speaks of a tenant, in the order in which they are asked, and what each has to do with a question.
 *
 * A decision only says which rule decided. Which others match is asked of the decision itself, so that there is one
 * opinion of what matching is: of the tenant's policies, every rule made a plain denial, the rule that decides is
 * taken out, again and again, until none does.
 */
import { bypassPolicies } from "../compile/bypass-guard.ts";
import { compileSet } from "../compile/compile-set.ts";
import { type PolicySet, toPolicySet } from "../compile/policy-set.ts";
import type { Said } from "../compiled/decision-point.ts";
import { findListed, type NamedTables, type NameTable } from "../compiled/name-table.ts";
import { readQuestion } from "../compiled/question.ts";
import { textOf } from "../compiled/regexes.ts";
import { ScopeBuilder } from "../compiled/scope.ts";
import { loadSnapshot } from "../compiled/snapshot.ts";
import { decide } from "../decide/decide.ts";
import type { DecisionRequest } from "../decide/request.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import { compileRegex } from "../resources/name-regex.ts";
import type { LocatedResource } from "../resources/parse.ts";
import { TIERS, tierOf } from "../resources/policy-schema.ts";

/** What a rule has to do with the question. */
export const FATES = [
  "decides",
  "passes on", // a Pass: what follows in its tier is not asked
  "passed over", // it matches, after a Pass of its tier
  "shadowed", // it matches, after the one that decides
  "recorded", // mode Audit
  "by chance", // it decides some of such questions
  "puts off", // it delays the answer, and others decide
  "limits", // it answers what is above its rate, and others decide
  "bounds TTLs", // of the answer, and others decide
  "strips", // the answer of this type, and others decide
  "mirrors", // the question, to compare, and others decide
  "disabled",
  "no match",
] as const;
export type Fate = (typeof FATES)[number];

export interface ConsideredRule {
  readonly kind: string;
  readonly policy: string;
  readonly rule: string;
  readonly tier: string;
  readonly priority: number;
  readonly action: string;
  readonly fate: Fate;
  /** Of a rule that does not match: the first thing that does not fit. */
  readonly because?: "names" | "lists" | "nameRegex" | "types" | "client, transport or time";
}

/** Of a tenant, at a moment (milliseconds since 1970); nothing else of the client's identity is looked at. */
export type TenantRequest = Omit<DecisionRequest, "consult"> & {
  readonly tenant: string;
  readonly time: number;
  /** What decision points have said, by policy/rule. */
  readonly said?: Readonly<Record<string, SaidOfRule>> | undefined;
};
export type SaidOfRule = Pick<Said, "action" | "reason" | "failed"> & { readonly point: string };

type Policy = PolicySet["policies"][number]["resource"];
type Rule = Policy["spec"]["rules"][number];

interface Candidate {
  readonly policy: Policy;
  readonly rule: Rule;
}

/** Who is shadowed by more than these is told no more. */
const MAX_MATCHES = 100;

/** `lists`: the names of NameLists. */
export function considerRules(
  resources: readonly LocatedResource[],
  request: TenantRequest,
  lists: NamedTables = new Map(),
): ConsideredRule[] {
  const set = withGuards(toPolicySet(resources));
  const candidates = orderPolicies(set, request.tenant).flatMap((policy) =>
    policy.spec.rules.map((rule) => ({ policy, rule })),
  );
  const matching = findMatching(set, candidates, request, lists);
  const told: ConsideredRule[] = [];
  let passedTier = "";
  let decided = false;
  for (const [number, candidate] of candidates.entries()) {
    const { policy, rule } = candidate;
    const { kind, metadata, spec } = policy;
    const tier = tierOf(policy);
    const about = { kind, policy: metadata.name, rule: rule.name, tier, priority: spec.priority, action: rule.action };
    if (!matching.has(number)) {
      told.push({ ...about, fate: "no match", because: whyNot(rule, request, lists) });
      continue;
    }
    const said = request.said?.[`${metadata.name}/${rule.name}`]?.action;
    const fate =
      modeOf(candidate) ?? (decided ? "shadowed" : tier === passedTier ? "passed over" : byAction(rule, said));
    if (fate === "passes on") passedTier = tier;
    if (fate === "decides") decided = true;
    told.push({ ...about, fate });
  }
  return told;
}

/** Guards are policies, too, though nobody has written them. */
function withGuards(set: PolicySet): PolicySet {
  const tenants = set.tenants.map(({ resource }) => resource);
  const guards = bypassPolicies(tenants, set.settings?.resource).flatMap((resource) =>
    set.tenants.slice(0, 1).map(({ origin }) => ({ resource, origin })),
  );
  return { ...set, policies: [...set.policies, ...guards] };
}

function orderPolicies({ policies }: PolicySet, tenant: string): Policy[] {
  const rank = (policy: Policy) => TIERS.indexOf(tierOf(policy)) * 1024 + policy.spec.priority;
  return policies
    .map(({ resource }) => resource)
    .filter(({ spec }) => {
      const { tenants } = spec.subject;
      return tenants === undefined || tenants.includes(tenant);
    })
    .sort((a, b) => rank(a) - rank(b));
}

function modeOf({ policy, rule }: Candidate): Fate | undefined {
  const modes = [policy.spec.mode, rule.mode];
  if (modes.includes("Disabled")) return "disabled";
  return modes.includes("Audit") ? "recorded" : undefined;
}

function byAction({ action, match, fault }: Rule, said: Said["action"] | undefined): Fate {
  if (action === "Ttl") return "bounds TTLs";
  if (action === "Strip") return "strips";
  if (action === "Mirror") return "mirrors";
  if (action === "RateLimit") return "limits";
  if (fault !== undefined && fault.code === undefined) return "puts off";
  if (match.percent !== undefined) return "by chance";
  return action === "Pass" || said === "Pass" ? "passes on" : "decides";
}

/** Numbers of those that match, whatever they would do and in whichever mode they are. */
function findMatching(
  set: PolicySet,
  candidates: readonly Candidate[],
  request: TenantRequest,
  lists: NamedTables,
): Set<number> {
  const matching = new Set<number>();
  const tenants = set.tenants
    .filter(({ resource }) => resource.metadata.name === request.tenant)
    .map((located) => ({
      ...located,
      resource: {
        ...located.resource,
        spec: { ...located.resource.spec, upstream: undefined, forward: [], guards: undefined },
      },
    }));
  while (matching.size < MAX_MATCHES) {
    const policies = set.policies.map((located) => {
      const { resource } = located;
      const rules = [...candidates.entries()]
        .filter(([number, { policy }]) => policy === resource && !matching.has(number))
        .map(([number, { rule }]) => toPlainDenial(rule, number));
      return { ...located, resource: { ...resource, spec: { ...resource.spec, mode: "Enforce", rules } } as Policy };
    });
    const snapshot = loadSnapshot(
      compileSet({ ...set, tenants, upstreams: [], policies, settings: undefined }),
      1,
      lists,
    );
    const { rule } = decide(snapshot, request);
    if (rule === "") break;
    matching.add(Number(rule));
  }
  return matching;
}

/** Of the rule, what it matches is left, and nothing of what it does. */
function toPlainDenial({ match, fault }: Rule, number: number): Rule {
  const { percent: _, ...always } = match;
  // Only over UDP is anything truncated.
  if (fault?.code === "Truncate") always.transports = ["UDP"];
  return { name: String(number), mode: "Enforce", match: always, action: "Deny" };
}

function whyNot(
  { match }: Rule,
  { qname, qtype }: DecisionRequest,
  lists: NamedTables,
): NonNullable<ConsideredRule["because"]> {
  if (match.names !== undefined && !match.names.some((pattern) => covers(pattern, qname))) return "names";
  if (match.lists !== undefined && !match.lists.some((name) => hasName(lists.get(name), qname))) return "lists";
  if (match.types !== undefined && !match.types.includes(qtype)) return "types";
  if (match.nameRegex !== undefined && !matchesAny(match.nameRegex, qname)) return "nameRegex";
  return "client, transport or time";
}

function hasName(table: NameTable | undefined, qname: Uint8Array): boolean {
  const question = readQuestion(qname);
  return table !== undefined && question !== undefined && findListed(table, question, new ScopeBuilder()) !== undefined;
}

function matchesAny(regexes: readonly string[], qname: Uint8Array): boolean {
  const name = textOf(qname);
  return regexes.some((regex) => compileRegex(regex).matches(name));
}

function covers({ wire, extent }: NamePattern, qname: Uint8Array): boolean {
  const base = Buffer.from(wire);
  const name = Buffer.from(
    Buffer.from(qname)
      .toString("latin1")
      .replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    "latin1",
  );
  if (extent === "exact") return name.equals(base);
  return extent === "every" || suffixesOf(name).some((suffix) => suffix.equals(base));
}

/** Every name above this one. */
function suffixesOf(name: Buffer): Buffer[] {
  const suffixes: Buffer[] = [];
  for (let at = 0; at < name.length - 1; ) {
    at += 1 + (name[at] ?? 0);
    suffixes.push(name.subarray(at));
  }
  return suffixes;
}
