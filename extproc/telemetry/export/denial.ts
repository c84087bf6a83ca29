/**
 * Queries that a security team is told of one by one: those that were refused by a rule or a limit, or would have been by a rule on trial.
 */
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toQueryRecord } from "../query-record.ts";

export type DenialKind = "denied" | "limited" | "would_deny";

/** Outcome and RuleAction of the protos. */
const DENIED = 1;
const LIMITED = 6;
const ACTION_DENY = 1;

export interface Denial {
  readonly kind: DenialKind;
  readonly policy: string;
  readonly rule: string;
}

/** Undefined for all other queries. */
export function denialOf({ outcome, policy, rule, audits }: QueryEvent__Output): Denial | undefined {
  if (outcome === DENIED) return { kind: "denied", policy, rule };
  if (outcome === LIMITED) return { kind: "limited", policy, rule };
  const audit = audits.find(({ action }) => action === ACTION_DENY);
  return audit === undefined ? undefined : { kind: "would_deny", policy: audit.policy, rule: audit.rule };
}

const VERBS: Readonly<Record<DenialKind, string>> = {
  denied: "was denied",
  limited: "was beyond its limit for",
  would_deny: "would have been denied",
};

/** A sentence in ASCII. */
export function describeDenial({ kind, policy, rule }: Denial, event: QueryEvent__Output): string {
  const { tenant, qname, qtype } = toQueryRecord(event);
  const by = [policy, rule].filter((part) => part !== "").join("/");
  return `${tenant || "an unknown client"} ${VERBS[kind]} ${qname} ${qtype ?? ""}${by === "" ? "" : ` by ${by}`}`;
}
