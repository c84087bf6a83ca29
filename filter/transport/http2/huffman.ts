// The Huffman code of HPACK (RFC 7541, appendix B). It is canonical: codes of one length follow each other in the order
// of their symbols, so the lengths say all of it.

/** Code length of each octet and of EOS, 5 bits (`a`) to 30 bits (`z`). */
const LENGTHS =
  "isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkaba" +
  "babbbaccbbbabcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsru" +
  "vvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwvz";
const SYMBOLS: i32 = 257;
const EOS: u32 = 256;
const MIN_LENGTH: u32 = 5;
const MAX_LENGTH: u32 = 30;
/** Padding is shorter than an octet (RFC 7541, section 5.2). */
const MAX_PADDING: u32 = 7;

/** Codes up to this length are found by one look into `byOctet`; they are those of nearly all that headers say. */
const SHORT_LENGTH: u32 = 8;

/** By the next eight bits: symbol << 4 | length of its code, or 0 where the code is longer. */
const byOctet: usize = memory.data(512, 2);
/** By length: the first code that is longer, its bits at the left of MAX_LENGTH. */
const limits: usize = memory.data(124, 4);
/** By length: what to add to a code of this length to get its place in `ordered`. */
const places: usize = memory.data(124, 4);
/** All symbols in the order of their codes. */
const ordered: usize = memory.data(514, 2);

function build(): void {
  let code: u32 = 0;
  let place: u32 = 0;
  for (let length = MIN_LENGTH; length <= MAX_LENGTH; length++) {
    store<u32>(places + (length << 2), place - code);
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      if (<u32>LENGTHS.charCodeAt(symbol) - 0x61 + MIN_LENGTH != length) continue;
      store<u16>(ordered + (place++ << 1), <u16>symbol);
      if (length <= SHORT_LENGTH) {
        const spare = SHORT_LENGTH - length;
        for (let octet = code << spare; octet < (code + 1) << spare; octet++) {
          store<u16>(byOctet + (octet << 1), <u16>((symbol << 4) | length));
        }
      }
      code++;
    }
    store<u32>(limits + (length << 2), code << (MAX_LENGTH - length));
    code <<= 1;
  }
}
build();

/** What `decodeHuffman` answers where it has no text. */
export const MALFORMED: i32 = -1;
export const TOO_LONG: i32 = -2;

/** Decodes into `out`; the number of octets, or MALFORMED, or TOO_LONG where the text has more than `capacity`. */
export function decodeHuffman(text: usize, length: u32, out: usize, capacity: u32): i32 {
  const end = text + length;
  let at = text;
  let written: u32 = 0;
  // The next `count` bits, at the left; zeros below.
  let bits: u64 = 0;
  let count: u32 = 0;
  for (;;) {
    if (count < MAX_LENGTH) {
      while (count <= 56 && at < end) {
        bits |= (<u64>load<u8>(at++)) << (56 - count);
        count += 8;
      }
    }
    const entry = <u32>load<u16>(byOctet + ((<usize>(bits >> 56)) << 1));
    let size = entry & 15;
    let symbol = entry >> 4;
    if (size == 0) {
      // No 30 bits are at or above the last limit, so this ends.
      const code = <u32>(bits >> (64 - MAX_LENGTH));
      size = SHORT_LENGTH + 1;
      while (code >= load<u32>(limits + (size << 2))) size++;
      symbol = load<u16>(ordered + (((code >> (MAX_LENGTH - size)) + load<u32>(places + (size << 2))) << 1));
    }
    if (size > count) break;
    if (symbol == EOS) return MALFORMED;
    if (written == capacity) return TOO_LONG;
    store<u8>(out + written++, <u8>symbol);
    bits <<= size;
    count -= size;
  }
  // What is left is padding: at most seven bits, all ones (RFC 7541, section 5.2).
  if (count > MAX_PADDING || (count > 0 && bits != ~(<u64>0) << (64 - count))) return MALFORMED;
  return <i32>written;
}
