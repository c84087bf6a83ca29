// Addresses as Envoy writes them: 192.0.2.1:53, [2001:db8::1]:53, or either without a port.

import { Peer } from "../peer";

const GROUPS: u32 = 8;

/** Sets the peer's address; false where the text is none. */
export function parseAddress(at: usize, length: u32, peer: Peer): bool {
  if (length == 0) return false;
  if (load<u8>(at) != 0x5b) {
    return isIPv6(at, length) ? parseIPv6(at, at + length, peer) : parseIPv4(at, at + length, peer);
  }
  let end = at + 1;
  while (end < at + length && load<u8>(end) != 0x5d) end++;
  return end < at + length && parseIPv6(at + 1, end, peer);
}

/** Two colons: an IPv6 address without brackets, and so without a port. */
function isIPv6(at: usize, length: u32): bool {
  let colons = 0;
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(at + i) == 0x3a) colons++;
  }
  return colons > 1;
}

function parseIPv4(from: usize, end: usize, peer: Peer): bool {
  let at = from;
  let address: u32 = 0;
  for (let part = 0; part < 4; part++) {
    let value: u32 = 0;
    let digits = 0;
    while (at < end && <u32>load<u8>(at) - 0x30 < 10 && digits < 3) {
      value = value * 10 + load<u8>(at) - 0x30;
      digits++;
      at++;
    }
    if (digits == 0 || value > 255) return false;
    address = (address << 8) | value;
    if (part < 3 && (at >= end || load<u8>(at++) != 0x2e)) return false;
  }
  if (at < end && load<u8>(at) != 0x3a) return false;
  peer.setIPv4(address);
  return true;
}

/** RFC 4291, section 2.2, a zone (`%eth0`) left aside. */
function parseIPv6(from: usize, end: usize, peer: Peer): bool {
  let at = from;
  let high: u64 = 0;
  let low: u64 = 0;
  let groups: u32 = 0;
  /** Groups before `::`, or GROUPS + 1 without one. */
  let gap: u32 = GROUPS + 1;
  if (end - at >= 2 && load<u16>(at) == 0x3a3a) {
    gap = 0;
    at += 2;
  }
  while (at < end && load<u8>(at) != 0x25) {
    if (groups == GROUPS) return false;
    let value: u32 = 0;
    let digits = 0;
    const start = at;
    while (at < end && digits < 5) {
      const digit = hex(load<u8>(at));
      if (digit > 15) break;
      value = (value << 4) | digit;
      digits++;
      at++;
    }
    if (at < end && load<u8>(at) == 0x2e && groups <= 6) {
      // The last 32 bits as IPv4.
      if (!parseIPv4(start, end, peer)) return false;
      const address = <u64>(<u32>peer.low);
      high = (high << 32) | (low >> 32);
      low = (low << 32) | address;
      groups += 2;
      break;
    }
    if (digits == 0 || digits > 4) return false;
    high = (high << 16) | (low >> 48);
    low = (low << 16) | value;
    groups++;
    if (at >= end || load<u8>(at) == 0x25) break;
    if (load<u8>(at++) != 0x3a || at >= end) return false;
    if (load<u8>(at) == 0x3a) {
      if (gap <= GROUPS) return false;
      gap = groups;
      at++;
    }
  }
  if (gap > GROUPS) {
    if (groups != GROUPS) return false;
  } else {
    if (groups == GROUPS) return false;
    // The groups after the gap stand at the end already; those before it go to the front.
    const after = groups - gap;
    const tailHigh: u64 = after > 4 ? high & mask((after - 4) * 16) : 0;
    const tailLow: u64 = after >= 4 ? low : low & mask(after * 16);
    let frontHigh = high;
    let frontLow = low;
    for (let i: u32 = 0; i < GROUPS - groups; i++) {
      frontHigh = (frontHigh << 16) | (frontLow >> 48);
      frontLow <<= 16;
    }
    const keepHigh: u64 = gap >= 4 ? <u64>-1 : gap == 0 ? 0 : ~mask(64 - gap * 16);
    const keepLow: u64 = gap > 4 ? ~mask(128 - gap * 16) : 0;
    high = (frontHigh & keepHigh) | tailHigh;
    low = (frontLow & keepLow) | tailLow;
  }
  peer.setIPv6(high, low);
  return true;
}

function mask(bits: u32): u64 {
  return bits >= 64 ? <u64>-1 : ((<u64>1) << bits) - 1;
}

function hex(character: u32): u32 {
  if (character - 0x30 < 10) return character - 0x30;
  const letter = (character | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : 16;
}
