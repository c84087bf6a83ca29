/**
 * Warns of names that are accepted below a name denied with NXDOMAIN: who knows RFC 8020 takes NXDOMAIN for a word on
 * everything below, and never asks for them.
 */
import {
  ACTION_DENY,
  CONDITION_WORDS,
  RULE_ACTION,
  RULE_RCODE,
  RULE_WORDS,
  type Sections,
  TENANT_POLICIES,
  TENANT_POLICY_COUNT,
  TENANT_WORDS,
  viewSections,
} from "../compiled/layout.ts";
import { Transport } from "../compiled/messages.ts";
import { judge } from "../compiled/policy-walk.ts";
import { readQuestion } from "../compiled/question.ts";
import { ScopeBuilder } from "../compiled/scope.ts";
import type { CompiledPolicy } from "../compiled/snapshot.ts";
import { NamePattern } from "../resources/name-pattern.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { Rule } from "../resources/rule-schema.ts";
import type { Findings, Located, PolicySet } from "./policy-set.ts";

const NXDOMAIN = 3;
const TYPE_A = 1;

/** Stands for any name below a base: nobody writes a rule for it. */
const ANY_LABEL = Uint8Array.of(0);

interface NumberedRule {
  readonly policy: Located<Policy>;
  readonly index: number;
  readonly rule: Rule;
}

export function lintDenials(set: PolicySet, compiled: CompiledPolicy, findings: Findings): void {
  const sections = viewSections(compiled.buffer, compiled.directory);
  const rules: NumberedRule[] = set.policies.flatMap((policy) =>
    policy.resource.spec.rules.map((rule, index) => ({ policy, index, rule })),
  );
  const deniesNames = (number: number) => {
    const record = number * RULE_WORDS;
    return sections.rules[record + RULE_ACTION] === ACTION_DENY && sections.rules[record + RULE_RCODE] === NXDOMAIN;
  };
  if (!rules.some((_, number) => deniesNames(number))) return;
  const linter = new Linter(sections, rules, deniesNames, findings);
  // Tenants with the same policies are judged alike.
  const seen = new Set<string>();
  for (let tenant = 0; tenant < set.tenants.length; tenant++) {
    const start = sections.tenants[tenant * TENANT_WORDS + TENANT_POLICIES] ?? 0;
    const count = sections.tenants[tenant * TENANT_WORDS + TENANT_POLICY_COUNT] ?? 0;
    const key = sections.lists.subarray(start, start + count * 2).join(" ");
    if (seen.has(key)) continue;
    seen.add(key);
    linter.lint(start, count);
  }
}

class Linter {
  readonly #sections: Sections;
  readonly #rules: readonly NumberedRule[];
  readonly #deniesNames: (rule: number) => boolean;
  readonly #findings: Findings;
  readonly #firstRule = new Map<Located<Policy>, number>();
  readonly #byPolicy: readonly Located<Policy>[];
  readonly #warned = new Set<string>();
  /** There may be a client for which all of them are met. */
  readonly #everyCondition: ReadonlySet<number>;

  constructor(
    sections: Sections,
    rules: readonly NumberedRule[],
    deniesNames: (rule: number) => boolean,
    findings: Findings,
  ) {
    this.#sections = sections;
    this.#rules = rules;
    this.#deniesNames = deniesNames;
    this.#findings = findings;
    for (const [number, { policy }] of rules.entries()) {
      if (!this.#firstRule.has(policy)) this.#firstRule.set(policy, number);
    }
    this.#everyCondition = new Set(Array(sections.conditions.length / CONDITION_WORDS).keys());
    this.#byPolicy = [...this.#firstRule.keys()];
  }

  lint(start: number, count: number): void {
    for (let at = start; at < start + count * 2; at += 2) {
      const policy = this.#byPolicy[this.#sections.lists[at] ?? 0];
      if (policy === undefined) continue;
      const first = this.#firstRule.get(policy) ?? 0;
      for (const [index, rule] of policy.resource.spec.rules.entries()) {
        if (rule.action !== "Accept") continue;
        for (const [position, pattern] of (rule.match.names ?? []).entries()) {
          this.#lintPattern(start, count, first + index, pattern, position);
        }
      }
    }
  }

  #lintPattern(start: number, count: number, accept: number, pattern: NamePattern, position: number): void {
    if (pattern.extent === "every") return;
    const type = this.#rules[accept]?.rule.match.types?.[0] ?? TYPE_A;
    const labels = pattern.extent === "below" ? [ANY_LABEL, ...pattern.labels] : pattern.labels;
    if (this.#judge(start, count, labels, type) !== accept) return;
    for (let skipped = 1; skipped < labels.length; skipped++) {
      const ancestor = labels.slice(skipped);
      const deny = this.#judge(start, count, ancestor, type);
      if (deny === undefined || !this.#deniesNames(deny)) continue;
      this.#warn(accept, deny, position, pattern.text, new NamePattern(ancestor, "exact").text);
      return;
    }
  }

  #warn(accept: number, deny: number, position: number, accepted: string, denied: string): void {
    const by = this.#rules[accept];
    const against = this.#rules[deny];
    const key = `${accept} ${deny}`;
    if (by === undefined || against === undefined || this.#warned.has(key)) return;
    this.#warned.add(key);
    const { kind, metadata } = against.policy.resource;
    const culprit = `${kind} ${metadata.name}, rule ${against.rule.name}`;
    const message = `expected nothing accepted below a name that is denied with NXDOMAIN, got ${accepted} below ${denied} (${culprit}): resolvers take it for denied too (RFC 8020); NODATA does not spread`;
    this.#findings.warn(by.policy, ["spec", "rules", by.index, "match", "names", position], message);
  }

  #judge(start: number, count: number, labels: readonly Uint8Array[], type: number): number | undefined {
    const wire = Buffer.concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), Uint8Array.of(0)]);
    const question = readQuestion(wire);
    if (question === undefined) return undefined;
    // What others decide is not known here either.
    const said = () => ({ action: "Pass", reason: "", until: 0 }) as const;
    const asked = { qtype: type, transport: Transport.UDP, time: 0, said };
    const applicable = { start, count, conditions: this.#everyCondition };
    // What lists have is not known here: a rule that asks for one is no rule.
    return judge(this.#sections, [], applicable, question, asked, new ScopeBuilder()).match?.rule;
  }
}
