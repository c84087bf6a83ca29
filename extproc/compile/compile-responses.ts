/**
 * Response rules in the words of verdict.proto, which the filter judges by.
 */
import { Extent, RuleAction } from "../compiled/messages.ts";
import type { CompiledResponseRule } from "../compiled/snapshot.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import type { Network } from "../resources/network.ts";
import { type Policy, TIERS, tierOf } from "../resources/policy-schema.ts";
import type { ResponseRule } from "../resources/response-rule-schema.ts";
import { EDE_CODES, type Response } from "../resources/response-schema.ts";
import { compileDenial } from "./compile-denial.ts";

const ACTIONS = { Accept: RuleAction.ACCEPT, Deny: RuleAction.DENY, Pass: RuleAction.PASS } as const;

/** Of all policies of a tenant: what a verdict has room for (verdict.proto), besides the tenant's guards. */
export const MAX_RESPONSE_OCTETS = 16_384;
export const MAX_RESPONSE_RULES = 250;

/** Keys, lengths and numbers of a rule's message, generously. */
const RULE_OCTETS = 128;

/** Of a policy that is not disabled, as rules of its tier. */
export function compileResponseRules(policy: Policy): CompiledResponseRule[] {
  const { metadata, spec } = policy;
  const tier = TIERS.indexOf(tierOf(policy));
  return spec.responseRules
    .filter(({ mode }) => mode !== "Disabled")
    .map(({ name, mode, action, match, response }) => {
      const audit = spec.mode === "Audit" || mode === "Audit";
      return compileResponseRule({ policy: metadata.name, rule: name }, ACTIONS[action], match, {
        tier,
        audit,
        response,
      });
    });
}

interface Manner {
  readonly tier: number;
  readonly audit: boolean;
  readonly except?: readonly NamePattern[];
  readonly response?: Response | undefined;
}

export function compileResponseRule(
  named: { readonly policy: string; readonly rule: string },
  action: RuleAction,
  { names, addresses, targets, types, ttl }: ResponseRule["match"],
  { tier, audit, except, response }: Manner,
): CompiledResponseRule {
  return {
    action,
    tier,
    outcome: {
      ...named,
      ...(action === RuleAction.DENY && !audit ? { deny: denialOf(response) } : {}),
      audits: audit ? [{ ...named, action, chance: 0 }] : [],
    },
    names: encodePatterns(names),
    except: encodePatterns(except),
    targets: encodePatterns(targets),
    networks: encodeNetworks(addresses),
    types: encodeTypes(types),
    ttl_min: ttl?.min ?? 0,
    ttl_max: ttl?.max ?? 0,
  };
}

/** The name may have answers of other types, that nothing is wrong with: it is there. The reason is told by decide/. */
function denialOf(response: Response | undefined) {
  const { rcode, form, edeCode, ttl, records } = compileDenial(response, "NODATA", EDE_CODES.Blocked, "");
  const ede_text = typeof response?.ede === "object" ? response.ede.text : undefined;
  return { rcode, form, ede_code: edeCode, ede_text, ttl, soa_labels: 0, records };
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
export function measureRules(rules: readonly CompiledResponseRule[]): number {
  return rules.reduce((sum, rule) => sum + RULE_OCTETS + JSON.stringify(rule).length, 0);
}
