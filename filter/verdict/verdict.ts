// What the policy service said: a Verdict of protos/verdict.proto as the filter keeps it. Blocks live outside the
// garbage collector and count their references: the verdict cache holds one, and every query under way by it.
//
// Where chance or a meter has a word, or the answer is put off, the block that is kept only heads a chain of blocks: the alternatives in the order in which
// they are drawn, and at the end what holds if none comes up. Each is a verdict of its own to the query that drew it.

import { METER_SIZE, Meter } from "../meter/meter";

export const enum Action {
  Forward = 1,
  Deny = 2,
  /** The head of a chain. */
  Chance = 3,
  Fault = 4,
  Answer = 5,
  Rewrite = 6,
}

/** Deny.Form of protos/verdict.proto. */
export const enum Form {
  Rcode = 0,
  Drop = 1,
  Truncate = 2,
  Records = 3,
}

export const enum Extent {
  Exact = 0,
  Below = 1,
  AtOrBelow = 2,
}

/** Fixed head of the block; EDE text, policy, rule, audits, records, delays, alias, replacement and meter follow. */
@unmanaged
export class Verdict {
  references: u32;
  size: u32;
  subject: u64;
  action: Action;
  tenant: u32;
  logAll: bool;
  /** Of 10,000, how many of the queries that `logAll` alone makes one log; 0 is all. */
  sample: u32;
  /** It counts only while the policy service is heard. */
  currentOnly: bool;
  /** What its clients say of their traces counts. */
  traceContext: bool;
  /** Forward: number of the upstream in the revision, and the answers that may be shared. */
  upstream: u32;
  view: u64;
  /** Names of the mesh that come before the action; 0 is none. */
  meshView: u64;
  /** Deny. */
  rcode: u32;
  /** INFO-CODE, or -1: no EDE. */
  edeCode: i32;
  ttl: u32;
  soaLabels: u32;
  form: Form;
  edeLength: u32;
  policyLength: u32;
  ruleLength: u32;
  /** Rules in mode Audit: so many AUDIT_HEADs, each with its names behind it. */
  auditCount: u32;
  auditsLength: u32;
  /** Records of the answer: so many RECORD_HEADs, each with its data behind it. */
  recordCount: u32;
  recordsLength: u32;
  /** So many pairs of a chance and milliseconds, 16 bits each. */
  delayCount: u32;
  /** Answer: length of the name that is asked for upstream instead; 0 is none. */
  aliasLength: u32;
  /** Rewrite: so many trailing labels of the name that was asked are replaced, and the length of the name in their place. */
  replacedLabels: u32;
  replacementLength: u32;
  /** Bounds for the TTLs of what an upstream answers, in seconds; 0 is none. */
  ttlMin: u32;
  ttlMax: u32;
  /** Records of the type that was asked for are left out of what an upstream answers. */
  strip: bool;
  /** Number of the upstream that is asked beside, to compare, and of 10,000, how often; 0 is none, and always. */
  mirrorUpstream: u32;
  mirrorChance: u32;
  /** In a chain: whether this one comes up only where its meter has run over. */
  metered: bool;
  /** Of a head: whether chance has a word, besides meters and delays. */
  byChance: bool;
  /** In a chain: of 10,000, how often this one comes up; 0 is always. And the next one, with a reference. */
  chance: u32;
  next: Verdict | null;
  /** What an upstream's answer is judged by, with a reference. */
  responses: ResponseRules | null;
}

/**
 * The rules that upstreams' answers are judged by, which many verdicts share: a block that counts its references, with
 * `count` ResponseRules behind it, and the message that they were read from, which they point into.
 */
@unmanaged
export class ResponseRules {
  references: u32;
  count: u32;
  id: u64;
  /** Another one with the same place in the table of all. */
  next: ResponseRules | null;
}

@unmanaged
export class ResponseRule {
  /** RuleAction. */
  action: u32;
  tier: u32;
  /** A denial, or no more than the names of policy and rule; with a reference. */
  outcome: Verdict;
  /** Lists of protos/verdict.proto, well-formed; without any octets they ask for nothing. */
  names: usize;
  except: usize;
  targets: usize;
  networks: usize;
  types: usize;
  namesLength: u32;
  exceptLength: u32;
  targetsLength: u32;
  networksLength: u32;
  typesLength: u32;
  ttlMin: u32;
  ttlMax: u32;
}

/** Octets of a block before what it lists. */
export const HEAD: usize = (offsetof<Verdict>() + 7) & ~7;

export function edeTextAt(verdict: Verdict): usize {
  return changetype<usize>(verdict) + HEAD;
}

export function policyAt(verdict: Verdict): usize {
  return edeTextAt(verdict) + verdict.edeLength;
}

export function ruleAt(verdict: Verdict): usize {
  return policyAt(verdict) + verdict.policyLength;
}

const RULES_HEAD: usize = (offsetof<ResponseRules>() + 7) & ~7;
const RULE_SIZE: usize = (offsetof<ResponseRule>() + 7) & ~7;

export function responseRule(rules: ResponseRules, index: u32): ResponseRule {
  return changetype<ResponseRule>(changetype<usize>(rules) + RULES_HEAD + index * RULE_SIZE);
}

/** Where the message of the rules stands. */
export function octetsBehind(rules: ResponseRules): usize {
  return changetype<usize>(responseRule(rules, rules.count));
}

/** A block for so many rules and octets of their message, which follow the last rule; with one reference. */
export function newResponseRules(id: u64, count: u32, octets: u32): ResponseRules {
  const size = RULES_HEAD + count * RULE_SIZE;
  const rules = changetype<ResponseRules>(heap.alloc(size + octets));
  memory.fill(changetype<usize>(rules), 0, size);
  rules.references = 1;
  rules.id = id;
  rules.count = count;
  return rules;
}

/** RuleAction of protos/verdict.proto, as far as it is asked here. */
export const ACTION_ACCEPT: u32 = 0;
export const ACTION_DENY: u32 = 1;
export const ACTION_PASS: u32 = 2;
export const ACTION_RATE_LIMIT: u32 = 8;

/**
 * In front of a policy's and a rule's name in `auditsAt`: action, length of the first, of the second, chance, and whether a
 * meter stands behind the names.
 */
export const AUDIT_HEAD: usize = 6;
/** Chances are of so many. */
export const CERTAIN: u32 = 10_000;

export function auditsAt(verdict: Verdict): usize {
  return ruleAt(verdict) + verdict.ruleLength;
}

/** Where the audit after the one at `at` stands. */
export function nextAudit(at: usize): usize {
  return auditMeterAt(at) + (isMetered(at) ? METER_SIZE : 0);
}

export function isMetered(audit: usize): bool {
  return load<u8>(audit, 5) != 0;
}

/** Where the meter of a metered audit stands. */
export function auditMeterAt(audit: usize): usize {
  return audit + AUDIT_HEAD + load<u8>(audit, 1) + load<u8>(audit, 2);
}

/** In front of a record's data in `recordsAt`: type, and length of the data. */
export const RECORD_HEAD: usize = 4;

export function recordsAt(verdict: Verdict): usize {
  return auditsAt(verdict) + verdict.auditsLength;
}

/** Delays are pairs of a chance and milliseconds. */
export const DELAY_SIZE: usize = 4;

export function delaysAt(verdict: Verdict): usize {
  return recordsAt(verdict) + verdict.recordsLength;
}

/** In wire format and lower case. */
export function aliasAt(verdict: Verdict): usize {
  return delaysAt(verdict) + verdict.delayCount * DELAY_SIZE;
}

/** In wire format and lower case. */
export function replacementAt(verdict: Verdict): usize {
  return aliasAt(verdict) + verdict.aliasLength;
}

/** Of a metered one. */
export function meterOf(verdict: Verdict): Meter {
  return changetype<Meter>(replacementAt(verdict) + verdict.replacementLength);
}

/** Of 10,000; 0 is always. */
export function auditChance(at: usize): u32 {
  return load<u16>(at, 3);
}

export function retainVerdict(verdict: Verdict): Verdict {
  verdict.references += 1;
  return verdict;
}

export function releaseVerdict(verdict: Verdict | null): void {
  let at = verdict;
  while (at !== null && --at.references == 0) {
    const next = at.next;
    releaseRules(at.responses);
    heap.free(changetype<usize>(at));
    at = next;
  }
}

/** All that there are, by their numbers. */
const interned = new StaticArray<ResponseRules | null>(256);

/** The rules of this number, with a reference for the caller; null where nobody has them. */
export function findRules(id: u64): ResponseRules | null {
  let rules = unchecked(interned[<u32>id & 255]);
  while (rules !== null && rules.id != id) rules = rules.next;
  if (rules !== null) rules.references += 1;
  return rules;
}

export function internRules(rules: ResponseRules): void {
  const bucket = <u32>rules.id & 255;
  rules.next = unchecked(interned[bucket]);
  unchecked((interned[bucket] = rules));
}

export function retainRules(rules: ResponseRules | null): ResponseRules | null {
  if (rules !== null) rules.references += 1;
  return rules;
}

export function releaseRules(rules: ResponseRules | null): void {
  if (rules === null || --rules.references != 0) return;
  const bucket = <u32>rules.id & 255;
  let before: ResponseRules | null = null;
  let at = unchecked(interned[bucket]);
  while (at !== null && at !== rules) {
    before = at;
    at = at.next;
  }
  if (before !== null) before.next = rules.next;
  else if (at !== null) unchecked((interned[bucket] = rules.next));
  freeRules(rules);
}

/** Of rules that are nobody's, and in no table. */
export function freeRules(rules: ResponseRules): void {
  for (let i: u32 = 0; i < rules.count; i++) {
    const rule = responseRule(rules, i);
    if (changetype<usize>(rule.outcome) != 0) releaseVerdict(rule.outcome);
  }
  heap.free(changetype<usize>(rules));
}
