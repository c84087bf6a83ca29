/**
 * The decision: what becomes of one question of one client, and how far that holds.
 *
 * Pure: the same snapshot and request give the same verdict. Nothing is parsed here but the request, and every
 * string of the verdict is one of the snapshot's.
 */
import { numberOf } from "../compiled/hash.ts";
import {
  MAX_AUDITS,
  METER_BURST,
  METER_BY_CLIENT,
  METER_COUNT,
  METER_KIND,
  METER_PER,
  NO_TENANT,
  POLICY_NAME,
  POLICY_TIER,
  POLICY_WORDS,
  RULE_ACTION,
  RULE_CHANCE,
  RULE_DELAY,
  RULE_EDE_CODE,
  RULE_FORM,
  RULE_METER,
  RULE_NAME,
  RULE_POLICY,
  RULE_RCODE,
  RULE_RECORD_COUNT,
  RULE_RECORDS,
  RULE_REWRITE_LABELS,
  RULE_REWRITE_TO,
  RULE_ROUTE,
  RULE_TTL,
  RULE_TTL_MAX,
  RULE_TTL_MIN,
  RULE_WORDS,
  SUBJECT_UNIDENTIFIED,
  TENANT_CURRENT_ONLY,
  TENANT_LOG_ALL,
  TENANT_POLICIES,
  TENANT_POLICY_COUNT,
  TENANT_SAMPLE,
  TENANT_TRACE_CONTEXT,
  TENANT_WORDS,
} from "../compiled/layout.ts";
import {
  type Action,
  type AuditMessage,
  type DelayMessage,
  type Deny,
  DenyForm,
  type Fault,
  type Forward,
  type MeterKind,
  type MeterMessage,
  type MirrorMessage,
  type RecordMessage,
  RuleAction,
  type Verdict,
  type VerdictClient,
} from "../compiled/messages.ts";
import { readAddress } from "../compiled/networks.ts";
import { judge, type Match, SAID_ACTIONS } from "../compiled/policy-walk.ts";
import { readQuestion } from "../compiled/question.ts";
import { ScopeBuilder } from "../compiled/scope.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { StringTable } from "../compiled/strings.ts";
import { findForward, findRoute } from "../compiled/zones.ts";
import { type ClientClass, classify } from "./classify.ts";
import { type Identity, identify, tenantName } from "./client.ts";
import { Consultation } from "./consultation.ts";
import { isUnexplained, reasonOf } from "./reason.ts";
import { type DecisionRequest, MalformedRequest } from "./request.ts";
import { responsesFor } from "./responses.ts";

export { type DecisionRequest, MalformedRequest };

const TYPE_CNAME = 5;

/** RCODE REFUSED (RFC 1035), INFO-CODE Prohibited (RFC 8914). */
const NO_UPSTREAM: Deny = {
  rcode: 5,
  ede_code: 18,
  ede_text: "no upstream for this name",
  ttl: 0,
  soa_labels: 0,
  form: DenyForm.RCODE,
  records: [],
};

const UNTOUCHED = { audits: [], delays: [], ttl_min: 0, ttl_max: 0, strip: false };

const UNKNOWN = {
  tenant: "",
  log_all: false,
  unexplained: false,
  sample: 0,
  current_only: false,
  trace_context: false,
};

const BY_NOBODY = { policy: "", rule: "" };

const PRINCIPAL_REQUIRED = "a client certificate is required from this address";

/** Throws MalformedRequest for an address or a name that is none. */
export function decide(snapshot: Snapshot, request: DecisionRequest): Verdict {
  const address = readAddress(request.address);
  if (address === undefined) {
    throw new MalformedRequest(`expected an address of 4 or 16 octets, got ${request.address.length}`);
  }
  const question = readQuestion(request.qname);
  if (question === undefined) {
    throw new MalformedRequest(`expected one uncompressed name, got ${request.qname.length} octets that are none`);
  }
  const identity = identify(snapshot, request, address);
  const own = classify(snapshot, identity, request, address);
  const { sequence: revision, sections } = snapshot;
  const client = describeClient(snapshot, identity, own);
  const scope = new ScopeBuilder();
  if (identity.tenant === NO_TENANT) {
    const deny = denyNobody(snapshot, identity);
    return { revision, client, scope: scope.build(request), deny, ...BY_NOBODY, ...UNTOUCHED, alternatives: [] };
  }
  const tenant = identity.tenant * TENANT_WORDS;
  const start = sections.tenants[tenant + TENANT_POLICIES] ?? 0;
  const count = sections.tenants[tenant + TENANT_POLICY_COUNT] ?? 0;
  const applicable = { start, count, conditions: own.conditions };
  const consultation = new Consultation(snapshot, request, client.tenant, (rule) => nameRule(snapshot, rule));
  const { qtype, transport, time } = request;
  const asked = { qtype, transport, time, said: (rule: number) => consultation.ask(rule) };
  const {
    match,
    audits: audited,
    draws,
    delays: delaying,
    clamps,
  } = judge(sections, snapshot.lists, applicable, question, asked, scope);
  const limits = snapshot.tables.limits[identity.tenant];
  const guarded = limits?.audits ?? [];
  const audits = [
    ...guarded,
    ...audited.map((rule) => describeAudit(snapshot, rule, client.tenant, consultation)),
  ].slice(0, MAX_AUDITS);
  const delays = delaying.map((rule) => describeDelay(snapshot, rule));
  const responses = responsesFor(snapshot, identity.tenant, applicable);
  const places = {
    tenant: identity.tenant,
    consultation,
    usual: lazy(() => findForward(sections, identity.tenant, question, scope)),
    judgedBy: responses?.judgement,
    meshView: snapshot.tables.mesh.viewOf[identity.tenant] ?? "",
  };
  const byRules = draws.map((draw) => ({
    chance: chanceOf(snapshot, draw.rule),
    ...outcomeOf(snapshot, draw, places),
    audits: audits.slice(0, guarded.length + draw.audits),
    delays: [...delays.slice(0, draw.delays), ...ownDelay(snapshot, draw)],
    ...shapeBy(snapshot, clamps.slice(0, draw.clamps), identity.tenant),
    ...meterOf(snapshot, draw.rule, client.tenant),
  }));
  const outcome = outcomeOf(snapshot, match, places);
  delays.push(...ownDelay(snapshot, match));
  return {
    revision,
    client,
    scope: scope.build(request),
    ...outcome,
    audits,
    delays,
    ...shapeBy(snapshot, clamps, identity.tenant),
    alternatives: [...(limits?.alternatives ?? []), ...byRules],
    ...(responses === undefined ? {} : { responses: responses.message }),
  };
}

/** Where a tenant's names go. */
interface Places {
  readonly tenant: number;
  readonly consultation: Consultation;
  readonly usual: () => Forward | undefined;
  /** What answers of upstreams are judged by, for which they are kept apart; undefined for nothing. */
  readonly judgedBy: string | undefined;
  /** The names of the mesh that come before; empty for none. */
  readonly meshView: string;
}

/** What a rule has done, or what is done where none decides. */
function outcomeOf(
  snapshot: Snapshot,
  match: Match | undefined,
  places: Places,
): Action & MeshFirst & Pick<Verdict, "policy" | "rule"> {
  if (match === undefined) return { ...actUsually(places), ...BY_NOBODY };
  const { sections } = snapshot;
  const named = nameRule(snapshot, match.rule);
  switch (actionOf(snapshot, match.rule, places.consultation)) {
    case RuleAction.ACCEPT:
      return { ...actUsually(places), ...named };
    case RuleAction.ROUTE: {
      const route = sections.rules[match.rule * RULE_WORDS + RULE_ROUTE] ?? 0;
      return { forward: seenBy(places, findRoute(sections, places.tenant, route)), ...named };
    }
    case RuleAction.ANSWER:
      return { ...answerByRule(snapshot, match, places), ...named };
    case RuleAction.REWRITE:
      return { ...rewriteByRule(snapshot, match, places), ...named };
    case RuleAction.FAULT:
      return { fault: faultByRule(snapshot, match, places.tenant), ...named };
    default:
      return { deny: denyByRule(snapshot, match, places), ...named };
  }
}

/** A name of the mesh is answered by the filter; every other goes to the tenant's upstream. */
function actUsually(places: Places): Action & MeshFirst {
  const place = places.usual();
  return { ...forwardOf(place && seenBy(places, place)), ...meshFirst(places) };
}

/** What goes nowhere is refused. */
export function forwardOf(place: Forward | undefined): Action {
  return place === undefined ? { deny: NO_UPSTREAM } : { forward: place };
}

type MeshFirst = Pick<Verdict, "mesh_view">;

function meshFirst({ meshView }: Places): MeshFirst {
  return meshView === "" ? {} : { mesh_view: meshView };
}

/** Answers that others' rules have judged are not for this client. */
function seenBy({ judgedBy }: Places, { upstream, view }: Forward): Forward {
  return { upstream, view: judgedBy === undefined ? view : numberOf(`${view} ${judgedBy}`) };
}

/** Where names go is looked up once, and only if it matters: the look-up narrows the scope. */
function lazy<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => {
    found ??= { value: find() };
    return found.value;
  };
}

function describeAudit(snapshot: Snapshot, rule: number, tenant: string, consultation: Consultation): AuditMessage {
  const chance = chanceOf(snapshot, rule);
  return {
    ...nameRule(snapshot, rule),
    action: actionOf(snapshot, rule, consultation),
    chance,
    ...meterOf(snapshot, rule, tenant),
  };
}

/** What the rule counts, if anything. Its number is made of names: what was counted outlives a change of policy. */
function meterOf(snapshot: Snapshot, rule: number, tenant: string): { readonly meter?: MeterMessage } {
  const { rules, lists, policies } = snapshot.sections;
  const record = rule * RULE_WORDS;
  const start = rules[record + RULE_METER] ?? 0;
  if (start === 0) return {};
  const at = start - 1;
  const kind = (lists[at + METER_KIND] ?? 0) as MeterKind;
  const by_client = lists[at + METER_BY_CLIENT] === 1;
  const tier = policies[(rules[record + RULE_POLICY] ?? 0) * POLICY_WORDS + POLICY_TIER] ?? 0;
  const named = nameRule(snapshot, rule);
  return {
    meter: {
      id: numberOf(`${tier} ${named.policy} ${named.rule} ${by_client ? "" : tenant}`),
      kind,
      by_client,
      count: lists[at + METER_COUNT] ?? 0,
      per_ms: lists[at + METER_PER] ?? 0,
      burst: lists[at + METER_BURST] ?? 0,
    },
  };
}

function describeDelay(snapshot: Snapshot, rule: number): DelayMessage {
  return { chance: chanceOf(snapshot, rule), milliseconds: delayOf(snapshot, rule) };
}

/** Of a rule that does more than to put the answer off. */
function ownDelay(snapshot: Snapshot, match: Match | undefined): DelayMessage[] {
  const milliseconds = match === undefined ? 0 : delayOf(snapshot, match.rule);
  return milliseconds === 0 ? [] : [{ chance: 0, milliseconds }];
}

/**
 * The narrowest bounds of all, of which the upper one counts where they leave nothing; whether any rule strips the type; and
 * whom the first that says so wants to be asked beside the upstream.
 */
function shapeBy(snapshot: Snapshot, clamps: readonly number[], tenant: number) {
  const { rules } = snapshot.sections;
  const mirror = clamps.find((rule) => rules[rule * RULE_WORDS + RULE_ACTION] === RuleAction.MIRROR);
  let ttl_min = 0;
  let ttl_max = 0;
  let strip = false;
  for (const rule of clamps) {
    const record = rule * RULE_WORDS;
    if (rules[record + RULE_ACTION] === RuleAction.STRIP) strip = true;
    const max = rules[record + RULE_TTL_MAX] ?? 0;
    ttl_min = Math.max(ttl_min, rules[record + RULE_TTL_MIN] ?? 0);
    if (max !== 0) ttl_max = ttl_max === 0 ? max : Math.min(ttl_max, max);
  }
  const beside = mirror === undefined ? {} : { mirror: mirrorBy(snapshot, mirror, tenant) };
  return { ttl_min: ttl_max === 0 ? ttl_min : Math.min(ttl_min, ttl_max), ttl_max, strip, ...beside };
}

function mirrorBy(snapshot: Snapshot, rule: number, tenant: number): MirrorMessage {
  const { sections } = snapshot;
  const { upstream } = findRoute(sections, tenant, sections.rules[rule * RULE_WORDS + RULE_ROUTE] ?? 0);
  return { upstream, chance: chanceOf(snapshot, rule) };
}

function chanceOf({ sections }: Snapshot, rule: number): number {
  return sections.rules[rule * RULE_WORDS + RULE_CHANCE] ?? 0;
}

function delayOf({ sections }: Snapshot, rule: number): number {
  return sections.rules[rule * RULE_WORDS + RULE_DELAY] ?? 0;
}

function nameRule({ sections, strings }: Snapshot, rule: number): { readonly policy: string; readonly rule: string } {
  const record = rule * RULE_WORDS;
  const policy = (sections.rules[record + RULE_POLICY] ?? 0) * POLICY_WORDS;
  return {
    policy: strings.get(sections.policies[policy + POLICY_NAME] ?? 0),
    rule: strings.get(sections.rules[record + RULE_NAME] ?? 0),
  };
}

/** Where somebody else decides, what that has said. */
function actionOf({ sections }: Snapshot, rule: number, consultation: Consultation): RuleAction {
  const said = consultation.get(rule);
  if (said !== undefined) return SAID_ACTIONS[said.action];
  return (sections.rules[rule * RULE_WORDS + RULE_ACTION] ?? 0) as RuleAction;
}

function describeClient(snapshot: Snapshot, { tenant }: Identity, { subject, prefix }: ClientClass): VerdictClient {
  if (tenant === NO_TENANT) return { subject, prefix, ...UNKNOWN };
  const { tenants } = snapshot.sections;
  const record = tenant * TENANT_WORDS;
  const limits = snapshot.tables.limits[tenant]?.message;
  return {
    subject,
    tenant: tenantName(snapshot, tenant),
    prefix,
    log_all: tenants[record + TENANT_LOG_ALL] === 1,
    unexplained: isUnexplained(snapshot, tenant),
    sample: tenants[record + TENANT_SAMPLE] ?? 0,
    current_only: tenants[record + TENANT_CURRENT_ONLY] === 1,
    trace_context: tenants[record + TENANT_TRACE_CONTEXT] === 1,
    ...(limits === undefined ? {} : { limits }),
  };
}

/** Clients without the principal that their address asks for get the unknown client's answer, with its own reason. */
function denyNobody({ tables }: Snapshot, { subject }: Identity): Deny {
  const { rcode, edeCode, edeText, ttl, form, records } = tables.unknownClient;
  const ede_text = subject === SUBJECT_UNIDENTIFIED ? PRINCIPAL_REQUIRED : edeText;
  return { rcode, ede_code: edeCode, ede_text, ttl, soa_labels: 0, form, records };
}

function denyByRule(snapshot: Snapshot, match: Match, { tenant, consultation }: Places): Deny {
  const { strings } = snapshot;
  const { rules, lists } = snapshot.sections;
  const rule = match.rule * RULE_WORDS;
  return {
    rcode: rules[rule + RULE_RCODE] ?? 0,
    ede_code: rules[rule + RULE_EDE_CODE] ?? 0,
    ede_text: reasonOf(snapshot, match.rule, tenant, consultation.get(match.rule)?.reason),
    ttl: rules[rule + RULE_TTL] ?? 0,
    soa_labels: match.base,
    form: (rules[rule + RULE_FORM] ?? 0) as DenyForm,
    records: readRecords(lists, rules[rule + RULE_RECORDS] ?? 0, rules[rule + RULE_RECORD_COUNT] ?? 0, strings),
  };
}

/** A CNAME says where its name's records are: they are asked for where that name's queries of the tenant would go. */
function answerByRule(snapshot: Snapshot, match: Match, places: Places): Action {
  const { sections, strings } = snapshot;
  const { rules, lists } = sections;
  const rule = match.rule * RULE_WORDS;
  const records = readRecords(lists, rules[rule + RULE_RECORDS] ?? 0, rules[rule + RULE_RECORD_COUNT] ?? 0, strings);
  const ttl = rules[rule + RULE_TTL] ?? 0;
  const own = { records, ttl, soa_labels: match.base };
  const alias = records.find(({ type }) => type === TYPE_CNAME)?.data;
  if (alias === undefined) return { answer: { ...own, alias: "" } };
  const target = readQuestion(Buffer.from(alias, "base64"));
  // The target is the same for every question: where it goes narrows nothing.
  const place = target && findForward(sections, places.tenant, target, new ScopeBuilder());
  if (place === undefined) return { deny: NO_UPSTREAM };
  const { upstream, view } = seenBy(places, place);
  return { answer: { ...own, alias, forward: { upstream, view: aliasView(view, alias, ttl) } } };
}

/** Answers behind an alias are no answers to the alias's own name. */
function aliasView(view: string, alias: string, ttl: number): string {
  return numberOf(`${view} ${alias} ${ttl}`);
}

/** Where the other name goes, its own verdict says; this one says where the name itself goes that is rewritten to itself. */
function rewriteByRule({ sections, strings }: Snapshot, match: Match, places: Places): Action & MeshFirst {
  const { rules } = sections;
  const rule = match.rule * RULE_WORDS;
  const to = strings.get((rules[rule + RULE_REWRITE_TO] ?? 0) - 1);
  const rewrite = { labels: rules[rule + RULE_REWRITE_LABELS] ?? 0, to };
  const place = places.usual();
  const usual = place === undefined ? {} : { forward: seenBy(places, place) };
  return { rewrite: { ...rewrite, ...usual }, ...meshFirst(places) };
}

function faultByRule(snapshot: Snapshot, match: Match, tenant: number): Fault {
  const { rules } = snapshot.sections;
  const rule = match.rule * RULE_WORDS;
  return {
    rcode: rules[rule + RULE_RCODE] ?? 0,
    form: (rules[rule + RULE_FORM] ?? 0) as DenyForm,
    ede_text: reasonOf(snapshot, match.rule, tenant),
  };
}

function readRecords(lists: Uint32Array, start: number, count: number, strings: StringTable): RecordMessage[] {
  const records: RecordMessage[] = [];
  for (let at = start; at < start + count * 2; at += 2) {
    records.push({ type: lists[at] ?? 0, data: strings.get(lists[at + 1] ?? 0) });
  }
  return records;
}
