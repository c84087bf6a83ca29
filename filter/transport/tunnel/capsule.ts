// Capsules (RFC 9297, section 3.2) that carry UDP datagrams (RFC 9298, section 5): type, length, and for a datagram a
// context id, which is 0 for UDP payloads.

/** RFC 9297, section 3.5. */
export const DATAGRAM: u64 = 0;
/** Type and length, both as long as they get. */
export const MAX_CAPSULE_HEAD: u32 = 16;
/** A query over UDP; larger ones than EDNS ever asks for (RFC 6891, section 6.2.5) are dropped. */
export const MAX_DATAGRAM: u32 = 4096;
/** A datagram as it may arrive in parts: with its capsule's head and its context id. */
export const MAX_CAPSULE: u32 = MAX_CAPSULE_HEAD + 8 + MAX_DATAGRAM;

/** What `readCapsuleHead` read. */
export let capsuleType: u64 = 0;
export let capsuleLength: u64 = 0;

/** The size of the head at `at`, or 0 where there is more to come. */
export function readCapsuleHead(at: usize, available: usize): u32 {
  // Nearly every capsule that Envoy sends is a datagram below 16 KiB.
  if (available >= 3 && load<u8>(at) == 0) {
    const first = <u32>load<u8>(at + 1);
    if (first < 0x80) {
      capsuleType = DATAGRAM;
      capsuleLength = first < 0x40 ? first : ((first & 0x3f) << 8) | <u32>load<u8>(at + 2);
      return first < 0x40 ? 2 : 3;
    }
  }
  const typeSize = varintSize(at, available);
  if (typeSize == 0) return 0;
  const lengthSize = varintSize(at + typeSize, available - typeSize);
  if (lengthSize == 0) return 0;
  capsuleType = readVarint(at, typeSize);
  capsuleLength = readVarint(at + typeSize, lengthSize);
  return typeSize + lengthSize;
}

/** The size of the context id before a UDP payload, or 0 where the datagram is none: it is then dropped. */
export function payloadOffset(at: usize, length: u32): u32 {
  if (length > 0 && load<u8>(at) == 0) return 1;
  const size = varintSize(at, length);
  return size != 0 && readVarint(at, size) == 0 ? size : 0;
}

/** The size of the variable-length integer (RFC 9000, section 16) at `at`, or 0 where not all of it is there. */
function varintSize(at: usize, available: usize): u32 {
  if (available == 0) return 0;
  const size: u32 = 1 << (<u32>load<u8>(at) >> 6);
  return size <= available ? size : 0;
}

function readVarint(at: usize, size: u32): u64 {
  let value = <u64>load<u8>(at) & 0x3f;
  for (let i: u32 = 1; i < size; i++) value = (value << 8) | load<u8>(at + i);
  return value;
}
