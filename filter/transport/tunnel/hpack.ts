// Header blocks of the tunnel's requests (HPACK, RFC 7541). We advertise a dynamic table of size 0, so a block is made of
// indices of the static table and literals; all that is looked for is one header.

import { Text } from "../../host/host";
import { decodeHuffman, MALFORMED } from "./huffman";

const SOURCE = new Text("x-src");
const STATIC_TABLE: u32 = 61;
/** Longest name and value that are looked at; longer ones are none of ours. */
const MAX_TEXT: u32 = 256;
/** An integer has at most this many octets after its first: 28 bits (RFC 7541, section 5.1). */
const MAX_CONTINUED: u32 = 4;
/** Octets of a header block, all its frames together; one of Envoy's for a UDP session has about 200. */
export const MAX_BLOCK: u32 = 16 * 1024;
/** The table that an encoder may use before it has read our SETTINGS (RFC 9113, section 6.5.2). */
const INITIAL_TABLE_SIZE: u32 = 4096;

const name: usize = memory.data(256);
const value: usize = memory.data(256);

@final
export class HeaderReader {
  /** Value of the header `x-src`, `sourceLength` octets; 0 where there is none, or more than one: nobody is guessed. */
  readonly source: usize = value;
  sourceLength: u32 = 0;
  private at: usize = 0;
  private end: usize = 0;
  private failed: bool = false;
  private sources: u32 = 0;

  /** Whether the block is well-formed; anything else is a connection error (RFC 9113, section 4.3). */
  read(block: usize, length: u32): bool {
    this.at = block;
    this.end = block + length;
    this.failed = false;
    this.sourceLength = 0;
    this.sources = 0;
    let isFirst = true;
    while (this.at < this.end && !this.failed) {
      const octet = <u32>load<u8>(this.at);
      if (octet & 0x80) {
        // Indexed field: one of the static table (section 6.1).
        const index = this.integer(7);
        if (index == 0 || index > STATIC_TABLE) return false;
      } else if (octet & 0x40) {
        this.literal(6);
      } else if (octet & 0x20) {
        // Dynamic table size update (section 6.3), only at the beginning of a block (section 4.2).
        if (!isFirst || this.integer(5) > INITIAL_TABLE_SIZE) return false;
        continue;
      } else {
        this.literal(4);
      }
      isFirst = false;
    }
    if (this.sources != 1) this.sourceLength = 0;
    return !this.failed;
  }

  /** A literal field with an index of `prefix` bits for its name (section 6.2). */
  private literal(prefix: u32): void {
    const index = this.integer(prefix);
    if (index > STATIC_TABLE) {
      this.failed = true;
      return;
    }
    const isSource =
      index == 0 && <u32>this.text(name) == SOURCE.length && memory.compare(name, SOURCE.at, SOURCE.length) == 0;
    if (this.failed) return;
    if (!isSource) {
      this.skipText();
      return;
    }
    this.sources++;
    const length = this.text(value);
    this.sourceLength = length < 0 ? 0 : <u32>length;
  }

  private integer(prefix: u32): u32 {
    const max: u32 = (1 << prefix) - 1;
    if (this.at >= this.end) {
      this.failed = true;
      return 0;
    }
    const first = <u32>load<u8>(this.at++) & max;
    if (first < max) return first;
    let result = max;
    for (let i: u32 = 0; i < MAX_CONTINUED && this.at < this.end; i++) {
      const octet = <u32>load<u8>(this.at++);
      result += (octet & 0x7f) << (7 * i);
      if (octet < 0x80) return result;
    }
    this.failed = true;
    return 0;
  }

  /** Reads a string into `out`; its length, or -1 where it is too long to be ours or malformed. */
  private text(out: usize): i32 {
    const isHuffman = this.at < this.end && (load<u8>(this.at) & 0x80) != 0;
    const length = this.integer(7);
    if (this.failed || length > this.end - this.at) {
      this.failed = true;
      return -1;
    }
    const from = this.at;
    this.at += length;
    if (isHuffman) {
      const decoded = decodeHuffman(from, length, out, MAX_TEXT);
      if (decoded == MALFORMED) this.failed = true;
      return decoded < 0 ? -1 : decoded;
    }
    if (length > MAX_TEXT) return -1;
    memory.copy(out, from, length);
    return <i32>length;
  }

  private skipText(): void {
    const length = this.integer(7);
    if (this.failed || length > this.end - this.at) this.failed = true;
    else this.at += length;
  }
}
