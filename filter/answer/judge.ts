// What an upstream says, held against a tenant's response rules before it is kept or anybody gets it. A rule is met by
// one record of the answer section; what the rules make of the answer is written into it.

import { ACTION_DENY, ACTION_PASS, Extent, ResponseRule, ResponseRules, responseRule } from "../verdict/verdict";
import { NameKey } from "../wire/name";
import { read16, Type } from "../wire/types";
import { Answer } from "./answer";
import { isWithin } from "./networks";
import { Records } from "./records";

/** SvcParamKeys of addresses (RFC 9460, section 14.3.2). */
const IPV4_HINT: u32 = 4;
const IPV6_HINT: u32 = 6;

const targetKey = new NameKey();

@final
export class AnswerJudge {
  private readonly records: Records = new Records();

  /**
   * `key` is what the client asked for, and `about` the name that rules have to speak of; `aliased`: the first record is our own
   * CNAME from there.
   */
  judge(answer: Answer, rules: ResponseRules, key: NameKey, about: NameKey, aliased: bool): void {
    const records = this.records;
    records.open(answer, key, aliased ? 1 : 0);
    let passed: u32 = u32.MAX_VALUE;
    for (let i: u32 = 0; i < rules.count; i++) {
      const rule = responseRule(rules, i);
      if (rule.tier == passed || !isAbout(rule, about) || !this.isMet(rule)) continue;
      if (rule.outcome.auditCount != 0) {
        if (answer.audit == 0) answer.audit = <u8>(i + 1);
      } else if (rule.action == ACTION_PASS) {
        passed = rule.tier;
      } else {
        if (rule.action == ACTION_DENY) answer.denial = <u8>(i + 1);
        return;
      }
    }
  }

  private isMet(rule: ResponseRule): bool {
    const records = this.records;
    records.rewind();
    while (records.next()) {
      if (rule.typesLength != 0 && !hasType(rule, records.type)) continue;
      if (records.ttl < rule.ttlMin || (rule.ttlMax != 0 && records.ttl > rule.ttlMax)) continue;
      if (rule.targetsLength != 0 && !this.pointsTo(rule)) continue;
      if (rule.networksLength != 0 && !this.leadsTo(rule)) continue;
      return true;
    }
    return false;
  }

  private pointsTo(rule: ResponseRule): bool {
    const records = this.records;
    if (!records.readTarget()) return false;
    targetKey.set(records.target, records.targetLength);
    return covers(rule.targets, rule.targetsLength, targetKey);
  }

  /** Whether an address of the record is in one of the rule's blocks. */
  private leadsTo(rule: ResponseRule): bool {
    const records = this.records;
    const type = records.type;
    if (type == Type.A) return records.dataLength == 4 && contains(rule, records.dataAt, 4);
    if (type == Type.AAAA) return records.dataLength == 16 && contains(rule, records.dataAt, 16);
    return (type == Type.SVCB || type == Type.HTTPS) && this.hintsAt(rule);
  }

  /** Whether an SVCB's ipv4hint or ipv6hint has an address in one of the rule's blocks (RFC 9460, section 7.3). */
  private hintsAt(rule: ResponseRule): bool {
    const records = this.records;
    records.readTarget();
    const end = records.dataAt + records.dataLength;
    let at = records.afterTarget;
    while (end - at >= 4) {
      const key = read16(at);
      const size = <usize>read16(at + 2);
      at += 4;
      if (size > end - at) return false;
      const step: u32 = key == IPV4_HINT ? 4 : key == IPV6_HINT ? 16 : 0;
      if (step != 0) {
        for (let from: usize = 0; from + step <= size; from += step) {
          if (contains(rule, at + from, step)) return true;
        }
      }
      at += size;
    }
    return false;
  }
}

/** Whether the rule speaks of this question. */
function isAbout(rule: ResponseRule, key: NameKey): bool {
  if (rule.namesLength != 0 && !covers(rule.names, rule.namesLength, key)) return false;
  return rule.exceptLength == 0 || !covers(rule.except, rule.exceptLength, key);
}

/** Whether one of the patterns is about the name. */
function covers(patterns: usize, length: u32, key: NameKey): bool {
  let at = patterns;
  while (at < patterns + length) {
    const extent = <u32>load<u8>(at);
    let size: u32 = 0;
    let labels: u32 = 0;
    for (; load<u8>(at + 1 + size) != 0; labels++) size += <u32>load<u8>(at + 1 + size) + 1;
    size++;
    const fits = labels == key.labels ? extent != Extent.Below : labels < key.labels && extent != Extent.Exact;
    if (fits && key.suffixLength(labels) == size && memory.compare(key.suffixAt(labels), at + 1, size) == 0)
      return true;
    at += size + 1;
  }
  return false;
}

function hasType(rule: ResponseRule, type: u32): bool {
  for (let i: u32 = 0; i < rule.typesLength; i += 2) {
    if (read16(rule.types + i) == type) return true;
  }
  return false;
}

function contains(rule: ResponseRule, address: usize, size: u32): bool {
  return isWithin(rule.networks, rule.networksLength, address, size);
}
