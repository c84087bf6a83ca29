/**
 * A rule of the snapshot: its name, and what it does.
 */
import {
  POLICY_NAME,
  POLICY_WORDS,
  RULE_ACTION,
  RULE_CHANCE,
  RULE_NAME,
  RULE_POLICY,
  RULE_WORDS,
} from "../compiled/layout.ts";
import type { RuleAction } from "../compiled/messages.ts";
import { SAID_ACTIONS } from "../compiled/policy-walk.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { Consultation } from "./consultation.ts";

export function nameRule(
  { sections, strings }: Snapshot,
  rule: number,
): { readonly policy: string; readonly rule: string } {
  const record = rule * RULE_WORDS;
  const policy = (sections.rules[record + RULE_POLICY] ?? 0) * POLICY_WORDS;
  return {
    policy: strings.get(sections.policies[policy + POLICY_NAME] ?? 0),
    rule: strings.get(sections.rules[record + RULE_NAME] ?? 0),
  };
}

/** Where somebody else decides, what that has said. */
export function actionOf({ sections }: Snapshot, rule: number, consultation: Consultation): RuleAction {
  const said = consultation.get(rule);
  if (said !== undefined) return SAID_ACTIONS[said.action];
  return (sections.rules[rule * RULE_WORDS + RULE_ACTION] ?? 0) as RuleAction;
}

export function chanceOf({ sections }: Snapshot, rule: number): number {
  return sections.rules[rule * RULE_WORDS + RULE_CHANCE] ?? 0;
}
