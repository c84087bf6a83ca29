/**
 * Why: what a denial or a fault says of its rule to the client (EXTRA-TEXT of RFC 8914), as far as its tenant may tell. Whatever
 * that is, the verdict names policy and rule, and so do log, metrics and events.
 */
import {
  EXPLAIN_FULL,
  EXPLAIN_NONE,
  EXPLAIN_RULE,
  POLICY_NAME,
  POLICY_WORDS,
  RULE_EDE_TEXT,
  RULE_NAME,
  RULE_POLICY,
  RULE_WORDS,
  TENANT_EXPLAIN,
  TENANT_NAME,
  TENANT_WORDS,
} from "../compiled/layout.ts";
import type { Snapshot } from "../compiled/snapshot.ts";

/** Octets that fit an answer over UDP, as those of a rule's own words. */
const MAX_OCTETS = 128;

/** `said`: what a decision point gave as its reason, which stands behind the rule's place where that is told. */
export function reasonOf(snapshot: Snapshot, rule: number, tenant: number, said = ""): string {
  const { sections, strings } = snapshot;
  const { rules, policies } = sections;
  const of = rule * RULE_WORDS;
  const own = rules[of + RULE_EDE_TEXT] ?? 0;
  const policy = policies[(rules[of + RULE_POLICY] ?? 0) * POLICY_WORDS + POLICY_NAME] ?? 0;
  const names = { policy: strings.get(policy), rule: strings.get(rules[of + RULE_NAME] ?? 0) };
  const place = explain(snapshot, tenant, names, own === 0 ? undefined : strings.get(own - 1));
  const mode = sections.tenants[tenant * TENANT_WORDS + TENANT_EXPLAIN];
  return said === "" || own !== 0 || mode !== EXPLAIN_FULL ? place : cut(`${place}: ${said}`);
}

/** No half of a character is left. */
function cut(text: string): string {
  const octets = Buffer.from(text);
  return octets.length <= MAX_OCTETS
    ? text
    : octets
        .subarray(0, MAX_OCTETS)
        .toString()
        .replace(/\ufffd+$/, "");
}

/** `own`: the rule's own words, which may be none at all; undefined where it leaves that to us. */
export function explain(
  { sections, strings }: Snapshot,
  tenant: number,
  { policy, rule }: { readonly policy: string; readonly rule: string },
  own: string | undefined,
): string {
  const by = tenant * TENANT_WORDS;
  const mode = sections.tenants[by + TENANT_EXPLAIN];
  if (mode !== EXPLAIN_FULL && mode !== EXPLAIN_RULE) return "";
  if (own !== undefined) return own;
  if (mode === EXPLAIN_RULE) return rule;
  return `${strings.get(sections.tenants[by + TENANT_NAME] ?? 0)}/${policy}/${rule}`;
}

/** Whether denials have no EDE at all. */
export function isUnexplained({ sections }: Snapshot, tenant: number): boolean {
  return sections.tenants[tenant * TENANT_WORDS + TENANT_EXPLAIN] === EXPLAIN_NONE;
}
