// The addresses of an answer, as events tell of them: each behind its length.

import { Type } from "../wire/types";
import { Answer, bodyAt, ttlPlacesAt } from "./answer";

/** Of one answer. */
export const MAX_ADDRESSES: u32 = 64;
export const addresses: usize = memory.data(64 * 17);

/** The first A and AAAA records of the answer section, into `addresses`; octets there. */
export function addressesOf(answer: Answer): u32 {
  const body = bodyAt(answer);
  const places = ttlPlacesAt(answer);
  // Each record has one place of a TTL, between its type and class and its data (RFC 1035, section 4.1.3).
  const count = min<u32>(answer.answerCount, answer.ttlCount);
  let length: u32 = 0;
  let told: u32 = 0;
  for (let i: u32 = 0; i < count && told < MAX_ADDRESSES; i++) {
    const at = body + <usize>bswap<u16>(load<u16>(places + (i << 1)));
    const type = <u32>bswap<u16>(load<u16>(at - 4));
    if (type != Type.A && type != Type.AAAA) continue;
    length += putAddress(length, at + 6, <u32>bswap<u16>(load<u16>(at, 4)));
    told++;
  }
  return length;
}

/** Behind the octets that are there; how many more these are. */
export function putAddress(length: u32, from: usize, size: u32): u32 {
  if (size != 4 && size != 16) return 0;
  store<u8>(addresses + length, <u8>size);
  memory.copy(addresses + length + 1, from, size);
  return size + 1;
}
