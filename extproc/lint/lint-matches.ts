/**
 * Rules that have matched nothing for long, by what the service has heard of its workers.
 *
 * Only of rules that end a question, and of those on trial: no event tells of a rule that changes what others do.
 */
import { decides } from "../compile/compile-policies.ts";
import { toPolicySet } from "../compile/policy-set.ts";
import type { LocatedResource } from "../resources/parse.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { ResponseRule } from "../resources/response-rule-schema.ts";
import type { Rule } from "../resources/rule-schema.ts";
import type { Rules } from "../telemetry/questions.ts";
import { type Finding, finding } from "./finding.ts";

export interface Watched {
  /** By the service's telemetry; of one tenant, where somebody sees no more. */
  readonly matches: Rules;
  /** Whether workers tell of every query, or of denials and of what is logged otherwise. */
  readonly events: "All" | "Logged";
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Since when a resource says what it says; undefined where that is longer than anybody knows. */
  readonly changedAt: (kind: string, name: string) => number | undefined;
}

/** Room for all rules is bounded there: what is beyond it is counted under this name. */
const OTHER = "other";

const DAY_MS = 86_400_000;

export function lintMatches(resources: readonly LocatedResource[], days: number, watched: Watched): Finding[] {
  const { matches, now, changedAt } = watched;
  const since = now - days * DAY_MS;
  if (matches.rules.some(({ policy }) => policy === OTHER)) return [];
  const last = new Map(matches.rules.map((one) => [`${one.policy}/${one.rule}`, one.last]));
  return toPolicySet(resources).policies.flatMap(({ resource, origin }) => {
    const { kind, metadata } = resource;
    if (!isWatched(resource, matches.tenant) || (changedAt(kind, metadata.name) ?? 0) > since) return [];
    const unmatched = (field: string, rules: readonly (Rule | ResponseRule)[]) =>
      rules.flatMap((rule, index) => {
        const heard = last.get(`${metadata.name}/${rule.name}`);
        if (!isTold(resource, rule, watched.events) || (heard !== undefined && Date.parse(heard) >= since)) return [];
        const when = heard === undefined ? `none since ${matches.since}` : `the last one at ${heard}`;
        const message = `expected a query that ${rule.name} matches in ${days} days, got ${when}`;
        return [finding("unmatched", origin.problem(["spec", field, index], message))];
      });
    const { rules, responseRules } = resource.spec;
    return [...unmatched("rules", rules), ...unmatched("responseRules", responseRules)];
  });
}

/** Undefined where telemetry reaches back so far; else what keeps it from judging. */
export function tooSoon({ matches, now }: Watched, days: number): string | undefined {
  if (matches.rules.some(({ policy }) => policy === OTHER)) return "the service counts no more rules one by one";
  if (Date.parse(matches.since) <= now - days * DAY_MS) return undefined;
  return `the service has counted matches since ${matches.since}, which is not ${days} days`;
}

function isWatched({ spec }: Policy, tenant: string | undefined): boolean {
  if (spec.mode === "Disabled") return false;
  return tenant === undefined || (spec.subject.tenants?.length === 1 && spec.subject.tenants[0] === tenant);
}

function isTold({ spec }: Policy, rule: Rule | ResponseRule, events: Watched["events"]): boolean {
  if (rule.mode === "Disabled") return false;
  if (spec.mode === "Audit" || rule.mode === "Audit") return true;
  // Of what answers are accepted by, nothing is told.
  if (!("fault" in rule)) return rule.action === "Deny";
  if (!decides(rule) || rule.action === "Pass") return false;
  return events === "All" || rule.action === "Deny";
}
