/**
 * What a valid policy set has that nobody can have meant, or should at least know of.
 */
import type { Problem } from "../resources/problem.ts";

export const FINDING_KINDS = {
  /** What validation warns of. */
  warning: "warning",
  /** A rule that never has a word. */
  unreachable: "warning",
  /** A pattern of a rule that never has a word. */
  shadowed: "warning",
  /** A policy that speaks of nobody. */
  nobody: "warning",
  /** A rule that has matched nothing for long. */
  unmatched: "warning",
  /** Two rules that both match some questions, and neither is an exception of the other. */
  overlap: "note",
  /** A pattern that another one of its rule covers. */
  redundant: "note",
  /** An Upstream that nobody goes to. */
  unused: "note",
} as const;

export type FindingKind = keyof typeof FINDING_KINDS;

export interface Finding extends Problem {
  readonly kind: FindingKind;
  /** A `note` may well be meant. */
  readonly severity: "warning" | "note";
}

export function finding(kind: FindingKind, problem: Problem): Finding {
  return { ...problem, kind, severity: FINDING_KINDS[kind] };
}
