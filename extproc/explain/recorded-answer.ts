/**
 * Response rules against an answer as a query log has it: addresses, and no more. Rules that ask for what a log does not have are
 * passed by.
 */
import { Extent, type ResponseRuleMessage, type ResponseRulesMessage, RuleAction } from "../compiled/messages.ts";
import { parseAddress } from "../decide/address.ts";
import { parseName } from "../resources/name-pattern.ts";

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** The rule that denies the answer to a question for any of these names; undefined where none does. */
export function denyRecordedAnswer(
  { rules }: ResponseRulesMessage,
  names: readonly string[],
  answers: readonly string[],
): ResponseRuleMessage | undefined {
  const addresses = answers.map((text) => parseAddress(text)).filter((one) => one !== undefined);
  for (const name of names) {
    const denial = judge(rules, suffixesOf(parseName(name).wire), addresses);
    if (denial !== undefined) return denial;
  }
  return undefined;
}

/** Whether a log has what a rule asks for. */
export function canBeReplayed({ match }: { readonly match: Readonly<Record<string, unknown>> }): boolean {
  return match.targets === undefined && match.ttl === undefined;
}

function judge(
  rules: readonly ResponseRuleMessage[],
  suffixes: readonly Buffer[],
  addresses: readonly Uint8Array[],
): ResponseRuleMessage | undefined {
  let passed: number | undefined;
  for (const rule of rules) {
    if (rule.tier === passed || rule.outcome.audits.length > 0 || !isMet(rule, suffixes, addresses)) continue;
    if (rule.action === RuleAction.PASS) passed = rule.tier;
    else return rule.action === RuleAction.DENY ? rule : undefined;
  }
  return undefined;
}

function isMet(rule: ResponseRuleMessage, suffixes: readonly Buffer[], addresses: readonly Uint8Array[]): boolean {
  if (rule.targets !== "" || rule.ttl_min !== 0 || rule.ttl_max !== 0) return false;
  if (rule.names !== "" && !covers(rule.names, suffixes)) return false;
  if (rule.except !== "" && covers(rule.except, suffixes)) return false;
  const types = Buffer.from(rule.types, "base64");
  const wanted = Array.from({ length: types.length / 2 }, (_, index) => types.readUInt16BE(index * 2));
  return addresses.some(
    (address) =>
      (wanted.length === 0 || wanted.includes(address.length === 4 ? TYPE_A : TYPE_AAAA)) &&
      (rule.networks === "" || isWithin(Buffer.from(rule.networks, "base64"), address)),
  );
}

/** The name and every name above it, in wire format. */
function suffixesOf(wire: Uint8Array): Buffer[] {
  const suffixes: Buffer[] = [];
  for (let at = 0; at < wire.length; at += 1 + (wire[at] ?? 0)) suffixes.push(Buffer.from(wire.subarray(at)));
  return suffixes;
}

/** One after the other: an octet, Extent, and a name. */
function covers(patterns: string, suffixes: readonly Buffer[]): boolean {
  const octets = Buffer.from(patterns, "base64");
  for (let at = 0; at < octets.length; ) {
    const extent = octets[at];
    let end = at + 1;
    while ((octets[end] ?? 0) !== 0) end += 1 + (octets[end] ?? 0);
    const depth = suffixes.findIndex((suffix) => suffix.equals(octets.subarray(at + 1, end + 1)));
    if (depth === 0 ? extent !== Extent.BELOW : depth > 0 && extent !== Extent.EXACT) return true;
    at = end + 1;
  }
  return false;
}

/** One after the other: the octets of an address, the length of the prefix, the address. */
function isWithin(networks: Buffer, address: Uint8Array): boolean {
  const forms = [address, ...embeddedIn(address)];
  for (let at = 0; at < networks.length; at += 2 + (networks[at] ?? 0)) {
    const size = networks[at] ?? 0;
    const bits = networks[at + 1] ?? 0;
    const network = networks.subarray(at + 2, at + 2 + size);
    if (forms.some((form) => form.length === size && shares(form, network, bits))) return true;
  }
  return false;
}

function shares(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  for (let bit = 0; bit < bits; bit += 8) {
    const kept = 0xff00 >> Math.min(8, bits - bit);
    if ((((a[bit >> 3] ?? 0) ^ (b[bit >> 3] ?? 0)) & kept & 0xff) !== 0) return false;
  }
  return true;
}

/** Hexadecimal digits in front of an IPv4 address; of 6to4 (RFC 3056, section 2) it goes on behind. */
const SIX_TO_FOUR = /^2002/;
/** Mapped and compatible (RFC 4291, section 2.5.5), NAT64 (RFC 6052, section 2.1; RFC 8215). */
const AT_THE_END = /^(0{20}(ffff|0000)|0064ff9b0{16}|0064ff9b0001)/;
/** :: and ::1 are addresses of their own. */
const NO_IPV4 = /^0{31}[01]$/;

/** An IPv6 address that has an IPv4 address in it leads to that one, too (filter/answer/networks.ts). */
function embeddedIn(address: Uint8Array): Uint8Array[] {
  if (address.length !== 16) return [];
  const digits = Buffer.from(address).toString("hex");
  if (SIX_TO_FOUR.test(digits)) return [address.subarray(2, 6)];
  return AT_THE_END.test(digits) && !NO_IPV4.test(digits) ? [address.subarray(12)] : [];
}
