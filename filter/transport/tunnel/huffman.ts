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

/** By code length: the first code, the number of codes, and where their symbols begin in `symbols`. */
const firstCode = new StaticArray<u32>(MAX_LENGTH + 1);
const codeCount = new StaticArray<u32>(MAX_LENGTH + 1);
const firstSymbol = new StaticArray<u32>(MAX_LENGTH + 1);
const symbols = new StaticArray<u16>(SYMBOLS);

function build(): void {
  let code: u32 = 0;
  let next: u32 = 0;
  for (let length = MIN_LENGTH; length <= MAX_LENGTH; length++) {
    code <<= 1;
    firstCode[length] = code;
    firstSymbol[length] = next;
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      if (<u32>LENGTHS.charCodeAt(symbol) - 0x61 + MIN_LENGTH == length) symbols[next++] = <u16>symbol;
    }
    codeCount[length] = next - firstSymbol[length];
    code += codeCount[length];
  }
}
build();

/** Decodes into `out`; the number of octets, or -1 where the text is malformed or has more than `capacity`. */
export function decodeHuffman(text: usize, length: u32, out: usize, capacity: u32): i32 {
  let written: u32 = 0;
  let code: u32 = 0;
  let bits: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const octet = <u32>load<u8>(text + i);
    for (let shift: i32 = 7; shift >= 0; shift--) {
      code = (code << 1) | ((octet >> shift) & 1);
      bits++;
      if (bits < MIN_LENGTH) continue;
      const offset = code - unchecked(firstCode[bits]);
      if (offset < unchecked(codeCount[bits])) {
        const symbol = <u32>unchecked(symbols[unchecked(firstSymbol[bits]) + offset]);
        if (symbol == EOS || written == capacity) return -1;
        store<u8>(out + written++, <u8>symbol);
        code = 0;
        bits = 0;
      } else if (bits == MAX_LENGTH) {
        return -1;
      }
    }
  }
  // What is left is padding: the beginning of EOS, all ones.
  return bits <= MAX_PADDING && code == (1 << bits) - 1 ? written : -1;
}
