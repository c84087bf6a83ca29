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

export function reasonOf({ sections, strings }: Snapshot, rule: number, tenant: number): string {
  const { rules, policies, tenants } = sections;
  const [of, by] = [rule * RULE_WORDS, tenant * TENANT_WORDS];
  const explain = tenants[by + TENANT_EXPLAIN];
  if (explain !== EXPLAIN_FULL && explain !== EXPLAIN_RULE) return "";
  const own = rules[of + RULE_EDE_TEXT] ?? 0;
  if (own !== 0) return strings.get(own - 1);
  const name = strings.get(rules[of + RULE_NAME] ?? 0);
  if (explain === EXPLAIN_RULE) return name;
  const policy = policies[(rules[of + RULE_POLICY] ?? 0) * POLICY_WORDS + POLICY_NAME] ?? 0;
  return `${strings.get(tenants[by + TENANT_NAME] ?? 0)}/${strings.get(policy)}/${name}`;
}

/** Whether denials have no EDE at all. */
export function isUnexplained({ sections }: Snapshot, tenant: number): boolean {
  return sections.tenants[tenant * TENANT_WORDS + TENANT_EXPLAIN] === EXPLAIN_NONE;
}
