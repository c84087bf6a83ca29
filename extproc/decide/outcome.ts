/**
 * What a rule does to a question that it has met, or what is done where none has.
 */
import { numberOf } from "../compiled/hash.ts";
import {
  RULE_EDE_CODE,
  RULE_FORM,
  RULE_RCODE,
  RULE_RECORD_COUNT,
  RULE_RECORDS,
  RULE_REWRITE_LABELS,
  RULE_REWRITE_TO,
  RULE_ROUTE,
  RULE_TTL,
  RULE_WORDS,
} from "../compiled/layout.ts";
import {
  type Action,
  type Deny,
  DenyForm,
  type Fault,
  type Forward,
  type RecordMessage,
  RuleAction,
  type Verdict,
} from "../compiled/messages.ts";
import type { Match } from "../compiled/policy-walk.ts";
import { readQuestion } from "../compiled/question.ts";
import { ScopeBuilder } from "../compiled/scope.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { StringTable } from "../compiled/strings.ts";
import { findForward, findRoute } from "../compiled/zones.ts";
import type { Consultation } from "./consultation.ts";
import { reasonOf } from "./reason.ts";
import { actionOf, nameRule } from "./rule.ts";

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

export const BY_NOBODY = { policy: "", rule: "" };

/** Where a tenant's names go. */
export interface Places {
  readonly tenant: number;
  readonly consultation: Consultation;
  readonly usual: () => Forward | undefined;
  /** What answers of upstreams are judged by, for which they are kept apart; undefined for nothing. */
  readonly judgedBy: string | undefined;
  /** The names of the mesh that come before; empty for none. */
  readonly meshView: string;
}

/** What a rule has done, or what is done where none decides. */
export function outcomeOf(
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

export type MeshFirst = Pick<Verdict, "mesh_view">;

function meshFirst({ meshView }: Places): MeshFirst {
  return meshView === "" ? {} : { mesh_view: meshView };
}

/** Answers that others' rules have judged are not for this client. */
function seenBy({ judgedBy }: Places, { upstream, view }: Forward): Forward {
  return { upstream, view: judgedBy === undefined ? view : numberOf(`${view} ${judgedBy}`) };
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
