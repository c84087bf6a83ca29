/**
 * Rules in order, first match ends: over the policies of a subject, each with a trie of its own.
 */
import type { Said } from "./decision-point.ts";
import {
  ACTION_ACCEPT,
  ACTION_DECIDE,
  ACTION_DENY,
  ACTION_FAULT,
  ACTION_PASS,
  MAX_AUDITS,
  MAX_DELAYS,
  NODE_BELOW,
  NODE_BELOW_COUNT,
  NODE_EXACT,
  NODE_EXACT_COUNT,
  NODE_WORDS,
  POLICY_AUDIT,
  POLICY_ROOT,
  POLICY_TIER,
  POLICY_WORDS,
  RULE_ACTION,
  RULE_AUDIT,
  RULE_CHANCE,
  RULE_DECIDES,
  RULE_LIST_COUNT,
  RULE_LISTS,
  RULE_METER,
  RULE_REGEX_COUNT,
  RULE_REGEXES,
  RULE_SCHEDULE,
  RULE_TRANSPORTS,
  RULE_TYPES,
  RULE_TYPES_COUNT,
  RULE_WORDS,
  type Sections,
} from "./layout.ts";
import type { Transport } from "./messages.ts";
import { findListed, type NameTable } from "./name-table.ts";
import type { Question } from "./question.ts";
import { matchesRegex } from "./regexes.ts";
import { lookUpSchedule } from "./schedule.ts";
import type { ScopeBuilder } from "./scope.ts";
import { NamePath } from "./trie.ts";

export interface Match {
  readonly rule: number;
  /** Labels of the base of the longest of its patterns that matched: for one name, of its parent. */
  readonly base: number;
}

export interface Judgement {
  /** The rule that decides, an Accept or a Deny; undefined where none does. */
  readonly match: Match | undefined;
  /** Rules in mode Audit that matched before, in order. */
  readonly audits: readonly number[];
  /** Rules before it that decide by chance, or where a meter has run over, in order. */
  readonly draws: readonly Draw[];
  /** Rules before it that put the answer off, in order. */
  readonly delays: readonly number[];
  /** Rules before it that bound TTLs, or strip a type of its records. */
  readonly clamps: readonly number[];
}

export interface Draw extends Match {
  /** How many of the audits, delays and clamps were met before it. */
  readonly audits: number;
  readonly delays: number;
  readonly clamps: number;
}

/** What is asked, besides the name. */
export interface Circumstances {
  readonly qtype: number;
  readonly transport: Transport;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** What the decision point of a rule has said. */
  readonly said: (rule: number) => Said;
}

/** Some of the policies of a tenant: a run of TENANT_POLICIES in lists, and the conditions that the client meets. */
export interface Applicable {
  readonly start: number;
  readonly count: number;
  readonly conditions: ReadonlySet<number>;
}

export const SAID_ACTIONS = { Accept: ACTION_ACCEPT, Deny: ACTION_DENY, Pass: ACTION_PASS } as const;

/** Walks are synchronous: one scratch path serves them all. */
const path = new NamePath();

/** `tables`: names of the lists that rules refer to, by number. */
export function judge(
  sections: Sections,
  tables: readonly (NameTable | undefined)[],
  { start, count, conditions }: Applicable,
  question: Question,
  asked: Circumstances,
  scope: ScopeBuilder,
): Judgement {
  const { lists, policies, rules } = sections;
  const audits: number[] = [];
  const draws: Draw[] = [];
  const delays: number[] = [];
  const clamps: number[] = [];
  let passedTier = -1;
  for (let index = start; index < start + count * 2; index += 2) {
    const condition = lists[index + 1] ?? 0;
    if (condition !== 0 && !conditions.has(condition - 1)) continue;
    const policy = (lists[index] ?? 0) * POLICY_WORDS;
    const tier = policies[policy + POLICY_TIER] ?? 0;
    if (tier === passedTier) continue;
    path.walk(sections, policies[policy + POLICY_ROOT] ?? 0, question);
    scope.narrow(sections, question, path);
    const wholly = policies[policy + POLICY_AUDIT] === 1;
    // Of what a policy would have done, the first that matches is told: it would have ended there.
    let audited = false;
    const candidates = new Candidates(sections, question);
    for (let next = candidates.next(); next !== undefined && !(wholly && audited); next = candidates.next()) {
      const rule = next.rule * RULE_WORDS;
      const audit = wholly || rules[rule + RULE_AUDIT] === 1;
      if (audit && audited) continue;
      const listed = applies(sections, tables, rule, question, asked, scope);
      if (listed === undefined) continue;
      const match = { rule: next.rule, base: Math.max(next.base, listed) };
      const action = actionOf(sections, next.rule, question, asked, scope);
      const chance = rules[rule + RULE_CHANCE] ?? 0;
      const decides = rules[rule + RULE_DECIDES] === 1;
      if (audit) {
        audited = chance === 0 && decides;
        if (audits.length < MAX_AUDITS) audits.push(match.rule);
        continue;
      }
      const metered = (rules[rule + RULE_METER] ?? 0) !== 0;
      if (!decides && !metered) {
        if (action !== ACTION_FAULT) clamps.push(match.rule);
        else if (delays.length < MAX_DELAYS) delays.push(match.rule);
        continue;
      }
      if (chance !== 0 || metered) {
        draws.push({ ...match, audits: audits.length, delays: delays.length, clamps: clamps.length });
        continue;
      }
      if (action !== ACTION_PASS) return { match, audits, draws, delays, clamps };
      passedTier = tier;
      break;
    }
  }
  return { match: undefined, audits, draws, delays, clamps };
}

/** What the rule does; where somebody else says that, it holds for as much as was said. */
function actionOf(
  { rules }: Sections,
  rule: number,
  question: Question,
  asked: Circumstances,
  scope: ScopeBuilder,
): number {
  const action = rules[rule * RULE_WORDS + RULE_ACTION] ?? 0;
  if (action !== ACTION_DECIDE) return action;
  const said = asked.said(rule);
  if (said.labels === undefined) scope.narrowToName(question);
  else scope.narrowToDomain(said.labels);
  if (said.anyType !== true) scope.includeTypes([asked.qtype]);
  if (said.anyTransport !== true) scope.includeTransports(1 << asked.transport);
  scope.endAt(said.until);
  return SAID_ACTIONS[said.action];
}

/**
 * Whether the rule, whose names match, matches, and if it does, the base in its lists; the scope learns what else would
 * have been judged otherwise. What does not fit in one way is passed by for that alone.
 */
function applies(
  sections: Sections,
  tables: readonly (NameTable | undefined)[],
  rule: number,
  question: Question,
  asked: Circumstances,
  scope: ScopeBuilder,
): number | undefined {
  const { lists, rules } = sections;
  const transports = rules[rule + RULE_TRANSPORTS] ?? 0;
  if (transports !== 0 && (transports & (1 << asked.transport)) === 0) {
    scope.excludeTransports(transports);
    return undefined;
  }
  const first = rules[rule + RULE_TYPES] ?? 0;
  const types = lists.subarray(first, first + (rules[rule + RULE_TYPES_COUNT] ?? 0));
  if (types.length > 0 && !types.includes(asked.qtype)) {
    scope.excludeTypes(types);
    return undefined;
  }
  const base = findBase(sections, tables, rule, question, scope);
  if (base === undefined) return undefined;
  const schedule = rules[rule + RULE_SCHEDULE] ?? 0;
  if (schedule !== 0) {
    const { within, until } = lookUpSchedule(sections, schedule - 1, asked.time);
    scope.endAt(until);
    if (!within) return undefined;
  }
  const regexes = rules[rule + RULE_REGEX_COUNT] ?? 0;
  if (regexes > 0) {
    const start = rules[rule + RULE_REGEXES] ?? 0;
    scope.narrowToName(question);
    if (!matchesRegex(sections, lists.subarray(start, start + regexes), question)) return undefined;
  }
  if (transports !== 0) scope.includeTransports(transports);
  if (types.length > 0) scope.includeTypes([...types]);
  return base;
}

/** The base of the entry by which the first of its lists has the name; 0 for a rule that asks for no list. */
function findBase(
  { lists, rules }: Sections,
  tables: readonly (NameTable | undefined)[],
  rule: number,
  question: Question,
  scope: ScopeBuilder,
): number | undefined {
  const count = rules[rule + RULE_LIST_COUNT] ?? 0;
  if (count === 0) return 0;
  const start = rules[rule + RULE_LISTS] ?? 0;
  for (let index = start; index < start + count; index++) {
    const table = tables[lists[index] ?? 0];
    const base = table && findListed(table, question, scope);
    if (base !== undefined) return base;
  }
  return undefined;
}

/** Rules whose names match, in order: the runs along the path, merged. */
class Candidates {
  readonly #lists: Uint32Array;
  /** For each run that is not empty: where it goes on, where it ends, and the labels of its base. */
  readonly #at: number[] = [];
  readonly #end: number[] = [];
  readonly #base: number[] = [];

  /** Of everything below an ancestor, and of the name itself. */
  constructor({ nodes, lists }: Sections, question: Question) {
    this.#lists = lists;
    for (let depth = 0; depth <= path.depth; depth++) {
      const node = (path.nodes[depth] ?? 0) * NODE_WORDS;
      if (depth < question.labels) this.#add(nodes[node + NODE_BELOW], nodes[node + NODE_BELOW_COUNT], depth);
      else this.#add(nodes[node + NODE_EXACT], nodes[node + NODE_EXACT_COUNT], Math.max(0, depth - 1));
    }
  }

  #add(start = 0, count = 0, base = 0): void {
    if (count === 0) return;
    this.#at.push(start);
    this.#end.push(start + count);
    this.#base.push(base);
  }

  next(): Match | undefined {
    let rule = 0xffffffff;
    let base = 0;
    for (let run = 0; run < this.#at.length; run++) {
      const at = this.#at[run] ?? 0;
      if (at === this.#end[run]) continue;
      const head = this.#lists[at] ?? 0;
      if (head > rule) continue;
      rule = head;
      base = this.#base[run] ?? 0;
    }
    if (rule === 0xffffffff) return undefined;
    for (let run = 0; run < this.#at.length; run++) {
      const at = this.#at[run] ?? 0;
      if (at !== this.#end[run] && this.#lists[at] === rule) this.#at[run] = at + 1;
    }
    return { rule, base };
  }
}
