/**
 * Queries that a security team is told of one by one: those that were refused by a rule or a limit, or would have been by a rule on trial.
 */
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toQueryRecord } from "../query-record.ts";

export const DENIAL_KINDS = ["denied", "limited", "would_deny", "would_limit"] as const;
export type DenialKind = (typeof DENIAL_KINDS)[number];

/** Outcome and RuleAction of the protos. */
const DENIED = 1;
const LIMITED = 6;
const TRIALS: Readonly<Record<number, DenialKind>> = { 1: "would_deny", 8: "would_limit" };

export interface Denial {
  readonly kind: DenialKind;
  readonly policy: string;
  readonly rule: string;
}

/** Undefined for all other queries. */
export function denialOf({ outcome, policy, rule, audits }: QueryEvent__Output): Denial | undefined {
  if (outcome === DENIED) return { kind: "denied", policy, rule };
  if (outcome === LIMITED) return { kind: "limited", policy, rule };
  for (const audit of audits) {
    const kind = TRIALS[audit.action];
    if (kind !== undefined) return { kind, policy: audit.policy, rule: audit.rule };
  }
  return undefined;
}

const VERBS: Readonly<Record<DenialKind, string>> = {
  denied: "was denied",
  limited: "was beyond its limit for",
  would_deny: "would have been denied",
  would_limit: "would have been beyond its limit for",
};

/** A sentence in ASCII; `ofMany`: of this query and others, for other names. */
export function describeDenial({ kind, policy, rule }: Denial, event: QueryEvent__Output, ofMany = false): string {
  const { tenant, qname, qtype } = toQueryRecord(event);
  const by = [policy, rule].filter((part) => part !== "").join("/");
  return `${tenant || "an unknown client"} ${VERBS[kind]} ${ofMany ? "more names" : `${qname} ${qtype ?? ""}`}${by === "" ? "" : ` by ${by}`}`;
}
