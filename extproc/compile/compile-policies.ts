/**
 * Policies and rules as records, each policy with a trie of the names that its rules speak of.
 */

import type { Decider } from "../compiled/decision-point.ts";
import {
  ACTION_ACCEPT,
  ACTION_ANSWER,
  ACTION_DECIDE,
  ACTION_DENY,
  ACTION_FAULT,
  ACTION_MIRROR,
  ACTION_PASS,
  ACTION_RATE_LIMIT,
  ACTION_REWRITE,
  ACTION_ROUTE,
  ACTION_STRIP,
  ACTION_TTL,
} from "../compiled/layout.ts";
import { DenyForm, MeterKind } from "../compiled/messages.ts";
import type { DenialRecord } from "../compiled/snapshot.ts";
import { NamePattern } from "../resources/name-pattern.ts";
import { type Policy, TIERS, tierOf } from "../resources/policy-schema.ts";
import { EDE_CODES } from "../resources/response-schema.ts";
import type { Rule } from "../resources/rule-schema.ts";
import { TRANSPORTS } from "../resources/schema-parts.ts";
import type { DecisionPoint } from "../resources/settings-schema.ts";
import { compileDenial, type DenialCode } from "./compile-denial.ts";
import { compileResponseRules } from "./compile-responses.ts";
import type { ScheduleCompiler } from "./compile-schedules.ts";
import type { StringPool } from "./string-pool.ts";
import type { TrieBuilder } from "./trie-builder.ts";
import { WordList } from "./word-list.ts";

const ACTIONS = {
  Accept: ACTION_ACCEPT,
  Deny: ACTION_DENY,
  Pass: ACTION_PASS,
  Route: ACTION_ROUTE,
  Fault: ACTION_FAULT,
  Answer: ACTION_ANSWER,
  Ttl: ACTION_TTL,
  Strip: ACTION_STRIP,
  RateLimit: ACTION_RATE_LIMIT,
  Rewrite: ACTION_REWRITE,
  Decide: ACTION_DECIDE,
  Mirror: ACTION_MIRROR,
} as const;

const DEFAULT_ANSWER_TTL = 60;

const FAULT_RCODES = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

/** No name has more. */
const MAX_LABELS = 127;

const EVERY_NAME = [new NamePattern([], "every")];

export interface CompiledPolicies {
  readonly policies: Uint32Array;
  readonly rules: Uint32Array;
  readonly ruleCount: number;
  /** Upstreams that rules route to, by their number in RULE_ROUTE. */
  readonly routes: readonly string[];
  /** By their number in RULE_DECIDER. */
  readonly deciders: readonly Decider[];
}

export function compilePolicies(
  policies: readonly Policy[],
  strings: StringPool,
  trie: TrieBuilder,
  lists: WordList,
  schedules: ScheduleCompiler,
  nameLists: readonly string[],
  points: readonly DecisionPoint[],
): CompiledPolicies {
  const policyRecords = new WordList();
  const ruleRecords = new WordList();
  const routes = new Map<string, number>();
  const deciders = new Map<string, number>();
  const listNumbers = new Map(nameLists.map((name, index) => [name, index]));
  let ruleCount = 0;
  for (const [number, policy] of policies.entries()) {
    const { metadata, spec } = policy;
    const root = trie.addRoot();
    const responses = compileResponseRules(policy);
    policyRecords.push(
      strings.intern(metadata.name),
      TIERS.indexOf(tierOf(policy)),
      root,
      ruleCount,
      spec.mode === "Audit" ? 1 : 0,
      responses.length === 0 ? 0 : strings.intern(JSON.stringify(responses)) + 1,
    );
    for (const rule of spec.rules) {
      if (rule.mode !== "Disabled") addPatterns(trie, root, rule.match.names ?? EVERY_NAME, ruleCount);
      const { types = [], nameRegex: regexes = [] } = rule.match;
      const place = rule.route ?? rule.mirror;
      const denial = rule.fault
        ? compileFault(rule.fault)
        : rule.answer
          ? compileAnswer(rule.answer)
          : compileDenial(rule.response, defaultCode(rule), defaultEde(rule), "");
      ruleRecords.push(
        strings.intern(rule.name),
        number,
        ACTIONS[rule.action],
        denial.rcode,
        denial.edeCode,
        ownTextOf(rule, strings),
        denial.ttl,
        lists.append(types),
        types.length,
        rule.mode === "Audit" ? 1 : 0,
        transportBits(rule),
        rule.match.schedule === undefined ? 0 : schedules.add(rule.match.schedule) + 1,
        Math.round((rule.match.percent ?? 0) * 100),
        denial.form,
        lists.append(denial.records.flatMap(({ type, data }) => [type, strings.intern(data)])),
        denial.records.length,
        place === undefined ? 0 : numberOf(routes, place.upstream),
        rule.fault?.delay ?? 0,
        decides(rule) ? 1 : 0,
        rule.ttl?.min ?? 0,
        rule.ttl?.max ?? 0,
        rule.rateLimit === undefined ? 0 : lists.append(meterOf(rule.rateLimit)) + 1,
        lists.append((rule.match.lists ?? []).map((name) => listNumbers.get(name) ?? 0)),
        rule.match.lists?.length ?? 0,
        lists.append(regexes.map((regex) => strings.intern(regex))),
        regexes.length,
        rule.rewrite === undefined ? 0 : strings.intern(Buffer.from(rule.rewrite.to.wire).toString("base64")) + 1,
        rule.rewrite?.from?.labels.length ?? MAX_LABELS,
        rule.decide === undefined ? 0 : numberOf(deciders, JSON.stringify(deciderOf(rule.decide, points))) + 1,
      );
      ruleCount++;
    }
  }
  return {
    policies: policyRecords.words(),
    rules: ruleRecords.words(),
    ruleCount,
    routes: [...routes.keys()],
    deciders: [...deciders.keys()].map((text) => JSON.parse(text) as Decider),
  };
}

/** What a decision has for it, where Settings do not say. */
const POINT_TIMEOUT_MS = 100;

function deciderOf(
  { by, ttl, onError, byClient }: NonNullable<Rule["decide"]>,
  points: readonly DecisionPoint[],
): Decider {
  const { url = "", timeout = POINT_TIMEOUT_MS } = points.find(({ name }) => name === by) ?? {};
  return { point: by, url, timeoutMs: timeout, ttlMs: ttl * 1000, onError, byClient };
}

/** The number of a text, which is the next where it has none. */
function numberOf(numbers: Map<string, number>, text: string): number {
  const number = numbers.get(text) ?? numbers.size;
  numbers.set(text, number);
  return number;
}

/** The string + 1 that the rule itself gives as the reason of a denial; 0 for none. */
function ownTextOf({ response }: Rule, strings: StringPool): number {
  const text = typeof response?.ede === "object" ? response.ede.text : undefined;
  return text === undefined ? 0 : strings.intern(text) + 1;
}

/** A rule that only changes what comes of others is passed by. */
export function decides({ action, fault }: Rule): boolean {
  return (
    !["Ttl", "Strip", "Mirror", "RateLimit"].includes(action) && !(action === "Fault" && fault?.code === undefined)
  );
}

/** Only over UDP is anything truncated. */
export function transportBits({ match, fault }: Rule): number {
  if (fault?.code === "Truncate") return 1 << TRANSPORTS.indexOf("UDP");
  return (match.transports ?? []).reduce((bits, transport) => bits | (1 << TRANSPORTS.indexOf(transport)), 0);
}

function addPatterns(trie: TrieBuilder, root: number, patterns: readonly NamePattern[], rule: number): void {
  for (const { labels, extent } of patterns) {
    const node = trie.node(root, labels.toReversed());
    if (extent !== "exact") trie.addBelow(node, rule);
    if (extent !== "below") trie.addExact(node, rule);
  }
}

function meterOf({ queries, per, burst, by }: NonNullable<Rule["rateLimit"]>): number[] {
  return [MeterKind.QUERIES, by === "Client" ? 1 : 0, queries, per, burst];
}

/** Above a rate, a name is not denied: it is the client that gets no answer now. */
function defaultEde({ action }: Rule): number {
  return action === "RateLimit" ? EDE_CODES.Prohibited : EDE_CODES.Blocked;
}

/** A denial of some types is no word on the name itself (RFC 8020). */
function defaultCode({ action, match }: Rule): DenialCode {
  if (action === "RateLimit") return "REFUSED";
  return match.types ? "NODATA" : "NXDOMAIN";
}

function compileAnswer({ records, ttl }: NonNullable<Rule["answer"]>): DenialRecord {
  return {
    rcode: 0,
    form: DenyForm.RECORDS,
    edeCode: 0,
    edeText: "",
    ttl: ttl ?? DEFAULT_ANSWER_TTL,
    records: records.map(({ type, data }) => ({ type, data: Buffer.from(data).toString("base64") })),
  };
}

function compileFault({ code }: NonNullable<Rule["fault"]>): DenialRecord {
  const form = code === "Drop" ? DenyForm.DROP : code === "Truncate" ? DenyForm.TRUNCATE : DenyForm.RCODE;
  const rcode = code === undefined || code === "Drop" || code === "Truncate" ? 0 : FAULT_RCODES[code];
  return { rcode, form, edeCode: 0, edeText: "", ttl: 0, records: [] };
}
