/**
 * Everything that is worth a second look in a valid policy set, in the order of the files.
 */
import { toPolicySet } from "../compile/policy-set.ts";
import type { LocatedResource } from "../resources/parse.ts";
import type { Problem } from "../resources/problem.ts";
import { type Finding, finding } from "./finding.ts";
import { lintResponses } from "./lint-responses.ts";
import { lintRules } from "./lint-rules.ts";
import { lintUnused } from "./lint-unused.ts";

/** `warnings` are those of its validation. */
export function lint(resources: readonly LocatedResource[], warnings: readonly Problem[]): Finding[] {
  const set = toPolicySet(resources);
  return inOrder([
    ...warnings.map((one) => finding("warning", one)),
    ...lintRules(set),
    ...lintResponses(set),
    ...lintUnused(set),
  ]);
}

/** What a rule that never has a word has not matched is no news. */
export function withMatches(found: readonly Finding[], unmatched: readonly Finding[]): Finding[] {
  const place = ({ source, path }: Finding) => `${source} ${path}`;
  const unreachable = new Set(found.filter(({ kind }) => kind === "unreachable").map(place));
  return inOrder([...found, ...unmatched.filter((one) => !unreachable.has(place(one)))]);
}

function inOrder(found: Finding[]): Finding[] {
  return found.sort((a, b) => a.source.localeCompare(b.source) || a.document - b.document || a.line - b.line);
}
