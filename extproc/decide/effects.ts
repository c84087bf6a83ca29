/**
 * What rules do beside deciding: what would have been, what is counted, put off, clamped, stripped and mirrored.
 */
import { numberOf } from "../compiled/hash.ts";
import {
  METER_BURST,
  METER_BY_CLIENT,
  METER_COUNT,
  METER_KIND,
  METER_PER,
  POLICY_TIER,
  POLICY_WORDS,
  RULE_ACTION,
  RULE_DELAY,
  RULE_METER,
  RULE_POLICY,
  RULE_ROUTE,
  RULE_TTL_MAX,
  RULE_TTL_MIN,
  RULE_WORDS,
} from "../compiled/layout.ts";
import {
  type AuditMessage,
  type DelayMessage,
  type MeterKind,
  type MeterMessage,
  type MirrorMessage,
  RuleAction,
} from "../compiled/messages.ts";
import type { Match } from "../compiled/policy-walk.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { findRoute } from "../compiled/zones.ts";
import type { Consultation } from "./consultation.ts";
import { actionOf, chanceOf, nameRule } from "./rule.ts";

export function describeAudit(
  snapshot: Snapshot,
  rule: number,
  tenant: string,
  consultation: Consultation,
): AuditMessage {
  const chance = chanceOf(snapshot, rule);
  return {
    ...nameRule(snapshot, rule),
    action: actionOf(snapshot, rule, consultation),
    chance,
    ...meterOf(snapshot, rule, tenant),
  };
}

/** What the rule counts, if anything. Its number is made of names: what was counted outlives a change of policy. */
export function meterOf(snapshot: Snapshot, rule: number, tenant: string): { readonly meter?: MeterMessage } {
  const { rules, lists, policies } = snapshot.sections;
  const record = rule * RULE_WORDS;
  const start = rules[record + RULE_METER] ?? 0;
  if (start === 0) return {};
  const at = start - 1;
  const kind = (lists[at + METER_KIND] ?? 0) as MeterKind;
  const by_client = lists[at + METER_BY_CLIENT] === 1;
  const tier = policies[(rules[record + RULE_POLICY] ?? 0) * POLICY_WORDS + POLICY_TIER] ?? 0;
  const named = nameRule(snapshot, rule);
  return {
    meter: {
      id: numberOf(`${tier} ${named.policy} ${named.rule} ${by_client ? "" : tenant}`),
      kind,
      by_client,
      count: lists[at + METER_COUNT] ?? 0,
      per_ms: lists[at + METER_PER] ?? 0,
      burst: lists[at + METER_BURST] ?? 0,
    },
  };
}

export function describeDelay(snapshot: Snapshot, rule: number): DelayMessage {
  return { chance: chanceOf(snapshot, rule), milliseconds: delayOf(snapshot, rule) };
}

/** Of a rule that does more than to put the answer off. */
export function ownDelay(snapshot: Snapshot, match: Match | undefined): DelayMessage[] {
  const milliseconds = match === undefined ? 0 : delayOf(snapshot, match.rule);
  return milliseconds === 0 ? [] : [{ chance: 0, milliseconds }];
}

/**
 * The narrowest bounds of all, of which the upper one counts where they leave nothing; whether any rule strips the type; and
 * whom the first that says so wants to be asked beside the upstream.
 */
export function shapeBy(snapshot: Snapshot, clamps: readonly number[], tenant: number) {
  const { rules } = snapshot.sections;
  const mirror = clamps.find((rule) => rules[rule * RULE_WORDS + RULE_ACTION] === RuleAction.MIRROR);
  let ttl_min = 0;
  let ttl_max = 0;
  let strip = false;
  for (const rule of clamps) {
    const record = rule * RULE_WORDS;
    if (rules[record + RULE_ACTION] === RuleAction.STRIP) strip = true;
    const max = rules[record + RULE_TTL_MAX] ?? 0;
    ttl_min = Math.max(ttl_min, rules[record + RULE_TTL_MIN] ?? 0);
    if (max !== 0) ttl_max = ttl_max === 0 ? max : Math.min(ttl_max, max);
  }
  const beside = mirror === undefined ? {} : { mirror: mirrorBy(snapshot, mirror, tenant) };
  return { ttl_min: ttl_max === 0 ? ttl_min : Math.min(ttl_min, ttl_max), ttl_max, strip, ...beside };
}

function mirrorBy(snapshot: Snapshot, rule: number, tenant: number): MirrorMessage {
  const { sections } = snapshot;
  const { upstream } = findRoute(sections, tenant, sections.rules[rule * RULE_WORDS + RULE_ROUTE] ?? 0);
  return { upstream, chance: chanceOf(snapshot, rule) };
}

function delayOf({ sections }: Snapshot, rule: number): number {
  return sections.rules[rule * RULE_WORDS + RULE_DELAY] ?? 0;
}
