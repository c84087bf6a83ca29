/**
 * Rules in order, first match ends: over the policies of a subject, each with a trie of its own.
 */
import {
  ACTION_PASS,
  NODE_BELOW,
  NODE_BELOW_COUNT,
  NODE_EXACT,
  NODE_EXACT_COUNT,
  NODE_WORDS,
  POLICY_ROOT,
  POLICY_TIER,
  POLICY_WORDS,
  RULE_ACTION,
  RULE_TYPES,
  RULE_TYPES_COUNT,
  RULE_WORDS,
  type Sections,
} from "./layout.ts";
import type { Question } from "./question.ts";
import type { ScopeBuilder } from "./scope.ts";
import { NamePath } from "./trie.ts";

export interface Match {
  readonly rule: number;
  /** Labels of the base of the longest of its patterns that matched: for one name, of its parent. */
  readonly base: number;
}

/** Walks are synchronous: one scratch path serves them all. */
const path = new NamePath();

/** The rule that decides, an Accept or a Deny; undefined where none does. `start` and `count` are a run in lists. */
export function judge(
  sections: Sections,
  start: number,
  count: number,
  question: Question,
  qtype: number,
  scope: ScopeBuilder,
): Match | undefined {
  const { lists, policies, rules } = sections;
  let passedTier = -1;
  for (let index = start; index < start + count; index++) {
    const policy = (lists[index] ?? 0) * POLICY_WORDS;
    const tier = policies[policy + POLICY_TIER] ?? 0;
    if (tier === passedTier) continue;
    path.walk(sections, policies[policy + POLICY_ROOT] ?? 0, question);
    scope.narrow(sections, question, path);
    const match = firstMatch(sections, question, qtype);
    excludeTypesBefore(sections, question, match?.rule ?? 0xffffffff, scope);
    if (match === undefined) continue;
    const rule = match.rule * RULE_WORDS;
    const types = rules[rule + RULE_TYPES_COUNT] ?? 0;
    if (types > 0) {
      const first = rules[rule + RULE_TYPES] ?? 0;
      scope.includeTypes([...lists.subarray(first, first + types)]);
    }
    if (rules[rule + RULE_ACTION] !== ACTION_PASS) return match;
    passedTier = tier;
  }
  return undefined;
}

/** Calls back with each run of rules along the path: of everything below an ancestor, then of the name itself. */
function eachCandidateRun(
  sections: Sections,
  question: Question,
  visit: (start: number, count: number, base: number) => void,
): void {
  const { nodes } = sections;
  for (let depth = 0; depth <= path.depth; depth++) {
    const node = (path.nodes[depth] ?? 0) * NODE_WORDS;
    if (depth < question.labels) {
      visit(nodes[node + NODE_BELOW] ?? 0, nodes[node + NODE_BELOW_COUNT] ?? 0, depth);
    } else {
      visit(nodes[node + NODE_EXACT] ?? 0, nodes[node + NODE_EXACT_COUNT] ?? 0, Math.max(0, depth - 1));
    }
  }
}

function firstMatch(sections: Sections, question: Question, qtype: number): Match | undefined {
  const { lists } = sections;
  let best = 0xffffffff;
  let base = 0;
  eachCandidateRun(sections, question, (start, count, runBase) => {
    for (let index = start; index < start + count; index++) {
      const rule = lists[index] ?? 0;
      if (rule > best) return;
      if (rule === best || coversType(sections, rule, qtype)) {
        best = rule;
        base = runBase;
        return;
      }
    }
  });
  return best === 0xffffffff ? undefined : { rule: best, base };
}

/** Rules before the one that matched were passed by for their types alone. */
function excludeTypesBefore(sections: Sections, question: Question, end: number, scope: ScopeBuilder): void {
  const { lists, rules } = sections;
  eachCandidateRun(sections, question, (start, count) => {
    for (let index = start; index < start + count; index++) {
      const rule = lists[index] ?? 0;
      if (rule >= end) return;
      const first = rules[rule * RULE_WORDS + RULE_TYPES] ?? 0;
      scope.excludeTypes(lists.subarray(first, first + (rules[rule * RULE_WORDS + RULE_TYPES_COUNT] ?? 0)));
    }
  });
}

function coversType({ lists, rules }: Sections, rule: number, qtype: number): boolean {
  const count = rules[rule * RULE_WORDS + RULE_TYPES_COUNT] ?? 0;
  if (count === 0) return true;
  const start = rules[rule * RULE_WORDS + RULE_TYPES] ?? 0;
  return lists.subarray(start, start + count).includes(qtype);
}
