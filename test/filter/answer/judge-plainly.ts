/**
 * Response rules once more, plainly: every rule and every record is looked at in turn, as text.
 */
import ipaddr from "ipaddr.js";
import type { NamePattern } from "../../../extproc/resources/name-pattern.ts";
import { type Policy, TIERS, tierOf } from "../../../extproc/resources/policy-schema.ts";
import type { ResponseRule } from "../../../extproc/resources/response-rule-schema.ts";

/** A record of the answer section, in all that a rule may ask for. */
export interface PlainRecord {
  readonly type: number;
  readonly ttl: number;
  /** Of an A or AAAA, or the hints of an SVCB. */
  readonly addresses: readonly string[];
  /** Where a CNAME, DNAME, MX, SRV or SVCB points to. */
  readonly target?: string;
}

export interface Judged {
  /** Names of rules; empty for none. */
  readonly denial: string;
  readonly audit: string;
}

export function judgeAnswerPlainly(
  policies: readonly Policy[],
  asked: string,
  records: readonly PlainRecord[],
): Judged {
  let audit = "";
  for (const tier of TIERS) {
    const ofTier = policies
      .filter((policy) => tierOf(policy) === tier && policy.spec.mode !== "Disabled")
      .toSorted((a, b) => a.spec.priority - b.spec.priority);
    const rules = ofTier.flatMap(({ spec }) => spec.responseRules.map((rule) => ({ rule, policyMode: spec.mode })));
    for (const { rule, policyMode } of rules) {
      if (rule.mode === "Disabled" || !isMet(rule, asked, records)) continue;
      if (rule.mode === "Audit" || policyMode === "Audit") {
        audit ||= rule.name;
        continue;
      }
      if (rule.action === "Pass") break;
      return { denial: rule.action === "Deny" ? rule.name : "", audit };
    }
  }
  return { denial: "", audit };
}

function isMet({ match }: ResponseRule, asked: string, records: readonly PlainRecord[]): boolean {
  const { names, types, targets, addresses, ttl } = match;
  if (names !== undefined && !names.some((pattern) => isNamed(pattern, asked))) return false;
  return records.some(
    (record) =>
      (types === undefined || types.includes(record.type)) &&
      (ttl?.min === undefined || record.ttl >= ttl.min) &&
      (ttl?.max === undefined || record.ttl <= ttl.max) &&
      (targets === undefined || targets.some((one) => record.target !== undefined && isNamed(one, record.target))) &&
      (addresses === undefined || addresses.some(({ text }) => record.addresses.some((one) => isIn(one, text)))),
  );
}

function isNamed({ text, extent }: NamePattern, name: string): boolean {
  if (extent === "every") return true;
  const plain = name.toLowerCase();
  return extent === "exact" ? plain === text : plain.endsWith(text.slice(1));
}

/** The address itself, or the IPv4 address in it. */
function isIn(address: string, block: string): boolean {
  const network = ipaddr.parseCIDR(block);
  return [ipaddr.parse(address), ...embedded(address)].some(
    (one) => one.kind() === network[0].kind() && one.match(network),
  );
}

function embedded(address: string): ipaddr.IPv4[] {
  const parsed = ipaddr.parse(address);
  if (!(parsed instanceof ipaddr.IPv6)) return [];
  const octets = parsed.toByteArray();
  const last = [new ipaddr.IPv4(octets.slice(12))];
  const isOneOf = (...blocks: string[]) => blocks.some((block) => parsed.match(ipaddr.parseCIDR(block)));
  if (isOneOf("2002::/16")) return [new ipaddr.IPv4(octets.slice(2, 6))];
  if (isOneOf("::/127")) return [];
  return isOneOf("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48") ? last : [];
}
