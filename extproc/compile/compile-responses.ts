/**
 * Response rules in the words of verdict.proto, which the filter judges by.
 */
import { Extent, type ResponseRuleMessage, RuleAction } from "../compiled/messages.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import type { Network } from "../resources/network.ts";
import { type Policy, TIERS, tierOf } from "../resources/policy-schema.ts";
import type { ResponseRule } from "../resources/response-rule-schema.ts";
import { EDE_CODES } from "../resources/response-schema.ts";
import { compileDenial } from "./compile-denial.ts";

const ACTIONS = { Accept: RuleAction.ACCEPT, Deny: RuleAction.DENY, Pass: RuleAction.PASS } as const;

/** Octets in a verdict's response rules, which are those of all policies of a tenant (verdict.proto). */
export const MAX_RESPONSE_OCTETS = 16_384;
export const MAX_RESPONSE_RULES = 255;

/** Keys, lengths and numbers of a rule's message, generously. */
const RULE_OCTETS = 128;

/** Of a policy that is not disabled, as rules of its tier. */
export function compileResponseRules(policy: Policy): ResponseRuleMessage[] {
  const tier = TIERS.indexOf(tierOf(policy));
  return policy.spec.responseRules
    .filter(({ mode }) => mode !== "Disabled")
    .map((rule) => compileRule(policy, rule, tier));
}

function compileRule({ metadata, spec }: Policy, rule: ResponseRule, tier: number): ResponseRuleMessage {
  const { names, addresses, targets, types, ttl } = rule.match;
  const action = ACTIONS[rule.action];
  const named = { policy: metadata.name, rule: rule.name };
  const audit = spec.mode === "Audit" || rule.mode === "Audit";
  return {
    action,
    tier,
    outcome: {
      ...named,
      ...(action === RuleAction.DENY && !audit ? { deny: denialOf(rule) } : {}),
      audits: audit ? [{ ...named, action, chance: 0 }] : [],
    },
    names: encodePatterns(names),
    except: "",
    targets: encodePatterns(targets),
    networks: encodeNetworks(addresses),
    types: encodeTypes(types),
    ttl_min: ttl?.min ?? 0,
    ttl_max: ttl?.max ?? 0,
  };
}

/** The name may have answers of other types, that nothing is wrong with: it is there. The reason is told by decide/. */
function denialOf({ response }: ResponseRule) {
  const { rcode, form, edeCode, edeText, ttl, records } = compileDenial(response, "NODATA", EDE_CODES.Blocked, "");
  return { rcode, form, ede_code: edeCode, ede_text: edeText, ttl, soa_labels: 0, records };
}

const EXTENTS = { exact: Extent.EXACT, below: Extent.BELOW, every: Extent.AT_OR_BELOW } as const;

function encodePatterns(patterns: readonly NamePattern[] = []): string {
  return toBase64(patterns.flatMap(({ extent, wire }) => [EXTENTS[extent], ...wire]));
}

function encodeNetworks(networks: readonly Network[] = []): string {
  return toBase64(networks.flatMap(({ octets, length }) => [octets.length, length, ...octets]));
}

function encodeTypes(types: readonly number[] = []): string {
  return toBase64(types.flatMap((type) => [type >> 8, type & 0xff]));
}

function toBase64(octets: readonly number[]): string {
  return Buffer.from(octets).toString("base64");
}

/** Octets of the rules in a verdict, at most. */
export function measureRules(rules: readonly ResponseRuleMessage[]): number {
  return rules.reduce((sum, rule) => sum + RULE_OCTETS + JSON.stringify(rule).length, 0);
}
