/**
 * The decision: what becomes of one question of one client, and how far that holds.
 *
 * Pure: the same snapshot and request give the same verdict. Nothing is parsed here but the request, and every
 * string of the verdict is one of the snapshot's.
 */
import {
  MAX_AUDITS,
  NO_TENANT,
  SUBJECT_UNIDENTIFIED,
  TENANT_CURRENT_ONLY,
  TENANT_LOG_ALL,
  TENANT_POLICIES,
  TENANT_POLICY_COUNT,
  TENANT_SAMPLE,
  TENANT_TRACE_CONTEXT,
  TENANT_WORDS,
} from "../compiled/layout.ts";
import type { Deny, Verdict, VerdictClient } from "../compiled/messages.ts";
import { readAddress } from "../compiled/networks.ts";
import { judge } from "../compiled/policy-walk.ts";
import { type Question, readQuestion } from "../compiled/question.ts";
import { ScopeBuilder } from "../compiled/scope.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { findForward } from "../compiled/zones.ts";
import { canonicalName } from "../dns/international.ts";
import { type ClientClass, classify } from "./classify.ts";
import { type Identity, identify, tenantName } from "./client.ts";
import { Consultation } from "./consultation.ts";
import { describeAudit, describeDelay, meterOf, ownDelay, shapeBy } from "./effects.ts";
import { BY_NOBODY, outcomeOf } from "./outcome.ts";
import { isUnexplained } from "./reason.ts";
import { type DecisionRequest, MalformedRequest } from "./request.ts";
import { responsesFor } from "./responses.ts";
import { chanceOf, nameRule } from "./rule.ts";

export { type DecisionRequest, MalformedRequest };

const UNTOUCHED = { audits: [], delays: [], ttl_min: 0, ttl_max: 0, strip: false };

const UNKNOWN = {
  tenant: "",
  log_all: false,
  unexplained: false,
  sample: 0,
  current_only: false,
  trace_context: false,
};

const PRINCIPAL_REQUIRED = "a client certificate is required from this address";

/** Throws MalformedRequest for an address or a name that is none. */
export function decide(snapshot: Snapshot, request: DecisionRequest): Verdict {
  const address = readAddress(request.address);
  if (address === undefined) {
    throw new MalformedRequest(`expected an address of 4 or 16 octets, got ${request.address.length}`);
  }
  const { question, international } = readCanonical(request.qname);
  const identity = identify(snapshot, request, address);
  const own = classify(snapshot, identity, request, address);
  const { sequence: revision, sections } = snapshot;
  const client = describeClient(snapshot, identity, own);
  const scope = new ScopeBuilder();
  scope.narrowToDomain(international);
  if (identity.tenant === NO_TENANT) {
    const deny = denyNobody(snapshot, identity);
    return { revision, client, scope: scope.build(request), deny, ...BY_NOBODY, ...UNTOUCHED, alternatives: [] };
  }
  const tenant = identity.tenant * TENANT_WORDS;
  const start = sections.tenants[tenant + TENANT_POLICIES] ?? 0;
  const count = sections.tenants[tenant + TENANT_POLICY_COUNT] ?? 0;
  const applicable = { start, count, conditions: own.conditions };
  const judged = { ...request, qname: question.octets };
  const consultation = new Consultation(snapshot, judged, client.tenant, (rule) => nameRule(snapshot, rule));
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

/** By its canonical form; `international`: labels of the domain in which all names have a form of other octets than this. */
function readCanonical(qname: Uint8Array): { readonly question: Question; readonly international: number } {
  const asked = readQuestion(qname);
  if (asked === undefined) {
    throw new MalformedRequest(`expected one uncompressed name, got ${qname.length} octets that are none`);
  }
  const { wire, international } = canonicalName(qname);
  return { question: international === 0 ? asked : (readQuestion(wire) ?? asked), international };
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

/** Where names go is looked up once, and only if it matters: the look-up narrows the scope. */
function lazy<T>(find: () => T): () => T {
  let found: { readonly value: T } | undefined;
  return () => {
    found ??= { value: find() };
    return found.value;
  };
}
