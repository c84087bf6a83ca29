// Reads a ResponseRules of protos/verdict.proto into a block. Most verdicts of a tenant have the same rules: those that
// are known by their number are not read again.

import { isName } from "../wire/name";
import { ProtoReader } from "../wire/protobuf";
import { Ede } from "../wire/types";
import { OutcomeReader } from "./outcome-reader";
import {
  ACTION_PASS,
  Extent,
  findRules,
  freeRules,
  internRules,
  newResponseRules,
  octetsBehind,
  ResponseRule,
  ResponseRules,
  responseRule,
} from "./verdict";

const MAX_RULES: u32 = 255;
/** The policy service refuses policies with more. */
const MAX_LENGTH: u32 = 32768;

@final
export class ResponseReader {
  /** Octets that the rules read last have taken; 0 where they were known. */
  size: u32 = 0;
  private readonly reader: ProtoReader = new ProtoReader();
  private readonly inner: ProtoReader = new ProtoReader();
  private readonly innermost: ProtoReader = new ProtoReader();
  private readonly outcome: OutcomeReader = new OutcomeReader();

  /** The rules, with a reference for the caller; null where the octets are none. */
  read(at: usize, length: u32): ResponseRules | null {
    this.size = 0;
    let id: u64 = 0;
    let count: u32 = 0;
    let unexplained = false;
    const reader = this.reader.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) id = reader.fixed64();
      else if (reader.field == 3) unexplained = reader.number() != 0;
      else {
        if (reader.field == 2) count++;
        reader.skip();
      }
    }
    if (reader.failed || id == 0 || count == 0 || count > MAX_RULES || length > MAX_LENGTH) return null;
    const known = findRules(id);
    if (known !== null) return known;
    const rules = newResponseRules(id, count, length);
    const octets = octetsBehind(rules);
    memory.copy(octets, at, length);
    if (!this.readRules(rules, octets, length)) {
      freeRules(rules);
      return null;
    }
    if (unexplained) {
      for (let i: u32 = 0; i < count; i++) responseRule(rules, i).outcome.edeCode = Ede.None;
    }
    internRules(rules);
    this.size = length + <u32>(octets - changetype<usize>(rules));
    return rules;
  }

  private readRules(rules: ResponseRules, at: usize, length: u32): bool {
    let index: u32 = 0;
    const reader = this.reader.begin(at, length);
    while (reader.next()) {
      if (reader.field != 2) reader.skip();
      else {
        reader.bytes();
        if (!this.readRule(responseRule(rules, index++), reader.bytesAt, reader.bytesLength)) return false;
      }
    }
    return true;
  }

  private readRule(rule: ResponseRule, at: usize, length: u32): bool {
    const outcome = this.outcome;
    outcome.begin();
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          rule.action = <u32>min(reader.number(), 255);
          break;
        case 2:
          rule.tier = <u32>reader.number();
          break;
        case 3: {
          reader.bytes();
          const inner = this.innermost.begin(reader.bytesAt, reader.bytesLength);
          while (inner.next()) outcome.field(inner);
          if (inner.failed) outcome.broken = true;
          break;
        }
        case 4:
          reader.bytes();
          rule.names = reader.bytesAt;
          rule.namesLength = reader.bytesLength;
          break;
        case 5:
          reader.bytes();
          rule.except = reader.bytesAt;
          rule.exceptLength = reader.bytesLength;
          break;
        case 6:
          reader.bytes();
          rule.targets = reader.bytesAt;
          rule.targetsLength = reader.bytesLength;
          break;
        case 7:
          reader.bytes();
          rule.networks = reader.bytesAt;
          rule.networksLength = reader.bytesLength;
          break;
        case 8:
          reader.bytes();
          rule.types = reader.bytesAt;
          rule.typesLength = reader.bytesLength;
          break;
        case 9:
          rule.ttlMin = <u32>min(reader.number(), <u64>u32.MAX_VALUE);
          break;
        case 10:
          rule.ttlMax = <u32>min(reader.number(), <u64>u32.MAX_VALUE);
          break;
        default:
          reader.skip();
      }
    }
    rule.outcome = outcome.build();
    return (
      !reader.failed &&
      !outcome.broken &&
      rule.action <= ACTION_PASS &&
      isPatterns(rule.names, rule.namesLength) &&
      isPatterns(rule.except, rule.exceptLength) &&
      isPatterns(rule.targets, rule.targetsLength) &&
      isNetworks(rule.networks, rule.networksLength) &&
      (rule.typesLength & 1) == 0
    );
  }
}

/** Whether the octets are extents with a name behind each. */
function isPatterns(at: usize, length: u32): bool {
  let from: u32 = 0;
  while (from < length) {
    if (load<u8>(at + from) > <u8>Extent.AtOrBelow) return false;
    const name = ++from;
    while (from < length && load<u8>(at + from) != 0) from += <u32>load<u8>(at + from) + 1;
    if (from >= length || !isName(at + name, ++from - name)) return false;
  }
  return true;
}

/** Whether the octets are sizes of addresses, each with a prefix's length and an address behind it. */
function isNetworks(at: usize, length: u32): bool {
  let from: u32 = 0;
  while (from < length) {
    const size = <u32>load<u8>(at + from);
    if ((size != 4 && size != 16) || length - from < size + 2 || <u32>load<u8>(at + from, 1) > size << 3) return false;
    from += size + 2;
  }
  return true;
}
