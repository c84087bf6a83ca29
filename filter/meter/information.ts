// How much a name can carry out: the octets of information in its labels below the registered name, which whoever it is
// registered to gets to see. What is random in them counts in full, what is repeated hardly.

import { NameKey } from "../wire/name";
import { Type } from "../wire/types";

/** RFC 1035, section 3.3.10. */
const TYPE_NULL: u32 = 10;
const OCTETS: i32 = 256;
const counts = new StaticArray<u32>(OCTETS);

/**
 * Labels of the registered name: the last two, or three where a short one stands below a country's (`co.uk`). There is no
 * list of suffixes here.
 */
export function apexLabels(key: NameKey): u32 {
  if (key.labels < 3) return key.labels;
  const second = key.suffixAt(2);
  const top = key.suffixAt(1);
  return load<u8>(top) == 2 && load<u8>(second) <= 3 ? 3 : 2;
}

/** Octets of information (Shannon's entropy of the octets, times their number); twice that for types whose answers carry as much. */
export function informationIn(key: NameKey, type: u32): f64 {
  const end = key.suffixAt(apexLabels(key));
  let length: u32 = 0;
  counts.fill(0);
  for (let at = key.at; at < end; at += <usize>load<u8>(at) + 1) {
    const size = <u32>load<u8>(at);
    for (let i: u32 = 1; i <= size; i++) unchecked((counts[<i32>load<u8>(at + i)] += 1));
    length += size;
  }
  if (length == 0) return 0;
  let bits: f64 = 0;
  for (let i = 0; i < OCTETS; i++) {
    const count = <f64>unchecked(counts[i]);
    if (count != 0) bits += count * Math.log2(<f64>length / count);
  }
  const octets = bits / 8;
  return type == Type.TXT || type == TYPE_NULL ? octets * 2 : octets;
}
