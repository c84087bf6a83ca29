// Whether two upstreams have said the same of a question: by RCODE, and by the records of the answer section, as a set.

import { hashLabel, mix, NameKey } from "../wire/name";
import { Type } from "../wire/types";
import { Answer } from "./answer";
import { Records } from "./records";

const records = new Records();

/** `key` is the name that both were given under. Order, TTLs and signatures, which may be made for each answer, count for nothing. */
export function saySame(one: Answer, other: Answer, key: NameKey): bool {
  return one.rcode == other.rcode && fingerprint(one, key) == fingerprint(other, key);
}

/** The sum of its records' hashes: the same in any order. */
function fingerprint(answer: Answer, key: NameKey): u64 {
  let sum: u64 = 0;
  records.open(answer, key, 0);
  while (records.next()) if (records.type != Type.RRSIG) sum += hashRecord();
  return sum;
}

function hashRecord(): u64 {
  const from = records.dataAt;
  const end = from + records.dataLength;
  const type = mix(1, records.type);
  const before = beforeName(records.type);
  if (before < 0 || !records.readName(<u32>before)) return hashOctets(type, from, end);
  const first = hashOctets(type, from, from + <u32>before);
  const name = hashOctets(first, records.target, records.target + records.targetLength);
  return hashOctets(name, records.afterTarget, end);
}

/** Octets in front of a name that may be compressed (RFC 3597, section 4), and then is other octets elsewhere; -1 for none. */
function beforeName(type: u32): i32 {
  switch (type) {
    case Type.CNAME:
    case Type.DNAME:
    case Type.NS:
    case Type.PTR:
    case Type.SOA:
      return 0;
    case Type.MX:
      return 2;
    default:
      return -1;
  }
}

function hashOctets(hash: u64, from: usize, end: usize): u64 {
  const length = <u32>(end - from);
  return mix(hash, <u64>hashLabel(from, length) | ((<u64>length) << 32));
}
