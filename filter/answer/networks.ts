// Whether an address is in one of some blocks. An IPv6 address that has an IPv4 address in it leads to that one for
// whoever has the translation for it, and so is both.

const MAPPED: u64 = 0x0000_ffff;
const NAT64: u64 = 0x0064_ff9b_0000_0000;
const NAT64_LOCAL: u64 = 0x0064_ff9b_0001;
const SIX_TO_FOUR: u64 = 0x2002;

const embedded: usize = memory.data(4);

/** `blocks` are the `networks` of a ResponseRule (protos/verdict.proto), well-formed; `size` is 4 or 16. */
export function isWithin(blocks: usize, length: u32, address: usize, size: u32): bool {
  const inner = size == 16 && readEmbedded(address);
  let at = blocks;
  while (at < blocks + length) {
    const family = <u32>load<u8>(at);
    const bits = <u32>load<u8>(at, 1);
    if (family == size && shares(at + 2, address, bits)) return true;
    if (inner && family == 4 && shares(at + 2, embedded, bits)) return true;
    at += family + 2;
  }
  return false;
}

function shares(a: usize, b: usize, bits: u32): bool {
  const whole = bits >> 3;
  if (memory.compare(a, b, whole) != 0) return false;
  const rest = bits & 7;
  return rest == 0 || (load<u8>(a + whole) ^ load<u8>(b + whole)) >> (8 - <u8>rest) == 0;
}

/** Puts the IPv4 address of an IPv6 address into `embedded`; false where it has none. */
function readEmbedded(address: usize): bool {
  const high = bswap<u64>(load<u64>(address));
  const low = bswap<u64>(load<u64>(address, 8));
  // RFC 3056, section 2.
  if (high >> 48 == SIX_TO_FOUR) {
    memory.copy(embedded, address + 2, 4);
    return true;
  }
  // RFC 4291, sections 2.5.5.1 and 2.5.5.2; :: and ::1 are addresses of their own.
  const mapped = high == 0 && (low >> 32 == MAPPED || (low >> 32 == 0 && low > 1));
  // RFC 6052, section 2.1; RFC 8215.
  const translated = (high == NAT64 && low >> 32 == 0) || high >> 16 == NAT64_LOCAL;
  if (!mapped && !translated) return false;
  memory.copy(embedded, address + 12, 4);
  return true;
}
