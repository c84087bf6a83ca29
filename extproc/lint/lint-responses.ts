/**
 * Response rules that an earlier one of their policy leaves nothing to: whatever record meets the later one, it meets the
 * earlier, and ends there.
 */
import { canonical } from "../compile/canonical.ts";
import type { Located, PolicySet } from "../compile/policy-set.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { ResponseRule } from "../resources/response-rule-schema.ts";
import { type Finding, finding } from "./finding.ts";
import { coversName, coversNetwork, toName } from "./reach.ts";

type Match = ResponseRule["match"];

export function lintResponses({ policies }: PolicySet): Finding[] {
  return policies.flatMap(lintPolicy);
}

function lintPolicy({ resource, origin }: Located<Policy>): Finding[] {
  const { responseRules } = resource.spec;
  return responseRules.flatMap((rule, index) => {
    if (rule.mode === "Disabled") return [];
    const by = responseRules.slice(0, index).find((earlier) => endsFor(earlier, rule));
    if (by === undefined) return [];
    const message = `expected a rule that can have a word, got ${rule.name}, of which everything is decided before: by rule ${by.name}`;
    return [finding("unreachable", origin.problem(["spec", "responseRules", index], message))];
  });
}

function endsFor(earlier: ResponseRule, later: ResponseRule): boolean {
  if (earlier.mode !== later.mode && earlier.mode !== "Enforce") return false;
  return covers(earlier.match, later.match);
}

/** Whatever is not there asks for nothing. */
function covers(outer: Match, inner: Match): boolean {
  return (
    each(outer.names, inner.names, coversPattern) &&
    each(outer.targets, inner.targets, coversPattern) &&
    each(outer.addresses, inner.addresses, coversNetwork) &&
    each(outer.types, inner.types, (one, other) => one === other) &&
    (outer.ttl === undefined || (inner.ttl !== undefined && canonical(outer.ttl) === canonical(inner.ttl)))
  );
}

function each<T>(
  outer: readonly T[] | undefined,
  inner: readonly T[] | undefined,
  covers: (outer: T, inner: T) => boolean,
): boolean {
  if (outer === undefined) return true;
  return inner?.every((one) => outer.some((other) => covers(other, one))) ?? false;
}

function coversPattern(outer: NamePattern, inner: NamePattern): boolean {
  return coversName(toName(outer), toName(inner));
}
