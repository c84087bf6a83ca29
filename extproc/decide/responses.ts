/**
 * What upstreams' answers to a client are judged by: the response rules of all policies that speak of it, in order.
 */
import { numberOf } from "../compiled/hash.ts";
import { POLICY_RESPONSES, POLICY_TIER, POLICY_WORDS, TENANT_GUARDS, TENANT_WORDS } from "../compiled/layout.ts";
import type { ResponseRuleMessage, ResponseRulesMessage } from "../compiled/messages.ts";
import type { Applicable } from "../compiled/policy-walk.ts";
import type { CompiledResponseRule, Snapshot } from "../compiled/snapshot.ts";
import { explain, isUnexplained } from "./reason.ts";

/** POLICY_TIER of those that go before a tenant's guards. */
const ADMIN = 0;

export interface Responses {
  readonly message: ResponseRulesMessage;
  /** Equal where the same answers are judged alike, whatever their tenants are told of it. */
  readonly judgement: string;
}

/** By tenant, and the numbers of the texts: classes of clients have few different ones. */
const known = new WeakMap<Snapshot, Map<string, Responses>>();

/** Undefined: there are none. */
export function responsesFor(
  snapshot: Snapshot,
  tenant: number,
  { start, count, conditions }: Applicable,
): Responses | undefined {
  const { lists, policies, tenants } = snapshot.sections;
  let guards = tenants[tenant * TENANT_WORDS + TENANT_GUARDS] ?? 0;
  let texts = "";
  for (let index = start; index < start + count * 2; index += 2) {
    const condition = lists[index + 1] ?? 0;
    if (condition !== 0 && !conditions.has(condition - 1)) continue;
    const policy = (lists[index] ?? 0) * POLICY_WORDS;
    if (guards !== 0 && policies[policy + POLICY_TIER] !== ADMIN) {
      texts += ` ${guards - 1}`;
      guards = 0;
    }
    const text = policies[policy + POLICY_RESPONSES] ?? 0;
    if (text !== 0) texts += ` ${text - 1}`;
  }
  if (guards !== 0) texts += ` ${guards - 1}`;
  if (texts === "") return undefined;
  const key = `${tenant}${texts}`;
  const ofSnapshot = known.get(snapshot) ?? new Map<string, Responses>();
  known.set(snapshot, ofSnapshot);
  const responses = ofSnapshot.get(key) ?? compose(snapshot, tenant, texts);
  ofSnapshot.set(key, responses);
  return responses;
}

function compose(snapshot: Snapshot, tenant: number, numbers: string): Responses {
  const texts = numbers
    .trimStart()
    .split(" ")
    .map((number) => snapshot.strings.get(Number(number)));
  const rules = texts.flatMap((text) => JSON.parse(text) as CompiledResponseRule[]);
  const told = {
    rules: rules.map((rule) => tell(snapshot, tenant, rule)),
    unexplained: isUnexplained(snapshot, tenant),
  };
  return { message: { id: numberOf(JSON.stringify(told)), ...told }, judgement: numberOf(texts.join(" ")) };
}

/** What this tenant is told of a denial. */
function tell(snapshot: Snapshot, tenant: number, rule: CompiledResponseRule): ResponseRuleMessage {
  const { deny, ...outcome } = rule.outcome;
  if (deny === undefined) return { ...rule, outcome };
  const ede_text = explain(snapshot, tenant, outcome, deny.ede_text);
  return { ...rule, outcome: { ...outcome, deny: { ...deny, ede_text } } };
}
