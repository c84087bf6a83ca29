/**
 * Values of labels, and of fields in logs: numbers of the filter's, and of DNS, that are too many or too new are one value.
 */
import { knownRcode, knownType } from "../dns/numbers.ts";
import { OTHER } from "./bounded-labels.ts";

export const TRANSPORTS: readonly string[] = ["udp", "tcp", "dot", "doh", "doh3"];
export const OUTCOMES: readonly string[] = [
  "forwarded",
  "denied",
  "rejected",
  "failed",
  "faulted",
  "answered",
  "limited",
];
export const CACHE_RESULTS: readonly string[] = ["none", "hit", "miss", "stale", "prefetch", "mesh"];

/** Comparison.Result of sync.proto. */
export const COMPARISONS: readonly string[] = ["same", "different", "failed"];

export const AUDITED: readonly string[] = ["untouched", "allowed", "would_deny"];
/** RuleAction of verdict.proto. */
export const RULE_ACTIONS: readonly string[] = [
  "accept",
  "deny",
  "pass",
  "route",
  "fault",
  "answer",
  "ttl",
  "rewrite",
  "rate_limit",
  "strip",
  "mirror",
];

export function rcodeLabel(rcode: number): string {
  return knownRcode(rcode) ?? OTHER;
}

export function typeLabel(type: number): string {
  return knownType(type) ?? OTHER;
}

/** A value of one of the lists above; numbers of a newer filter have none. */
export function nameOf(names: readonly string[], value: number): string {
  return names[value] ?? OTHER;
}
