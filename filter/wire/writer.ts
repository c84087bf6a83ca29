// Writes DNS messages with name compression (RFC 1035, section 4.1.4) into one buffer that all answers are built in.

import { equalFold } from "./name";
import { MAX_MESSAGE, write16, write32 } from "./types";

/** Suffixes remembered for compression; later ones are written in full. */
const MAX_SUFFIXES: u32 = 256;
/** Pointers have 14 bits. */
const MAX_POINTER: u32 = 0x3fff;

@final
export class Writer {
  /** The message. */
  readonly at: usize = heap.alloc(MAX_MESSAGE + 1);
  length: u32 = 0;
  /** Something did not fit into MAX_MESSAGE; what was written before it is whole. */
  overflowed: bool = false;
  private readonly suffixes: StaticArray<u32> = new StaticArray<u32>(MAX_SUFFIXES);
  private suffixCount: u32 = 0;

  clear(): void {
    this.length = 0;
    this.overflowed = false;
    this.suffixCount = 0;
  }

  private room(size: u32): bool {
    if (size <= MAX_MESSAGE - this.length) return true;
    this.overflowed = true;
    return false;
  }

  octet(value: u32): void {
    if (!this.room(1)) return;
    store<u8>(this.at + this.length, <u8>value);
    this.length += 1;
  }

  u16(value: u32): void {
    if (!this.room(2)) return;
    write16(this.at + this.length, value);
    this.length += 2;
  }

  u32(value: u32): void {
    if (!this.room(4)) return;
    write32(this.at + this.length, value);
    this.length += 4;
  }

  octets(from: usize, size: u32): void {
    if (!this.room(size)) return;
    memory.copy(this.at + this.length, from, size);
    this.length += size;
  }

  zeros(size: u32): void {
    if (!this.room(size)) return;
    memory.fill(this.at + this.length, 0, size);
    this.length += size;
  }

  /** Writes a wire-format name in full, and remembers it for later pointers. */
  plainName(name: usize, size: u32): void {
    const start = this.length;
    this.octets(name, size);
    if (!this.overflowed) this.remember(start, start + size - 1);
  }

  /** Writes a wire-format name, its longest suffix that was written before as a pointer. */
  name(name: usize, size: u32): void {
    const start = this.length;
    let at: u32 = 0;
    while (load<u8>(name + at) != 0) {
      const pointer = this.find(name + at, size - at);
      if (pointer != 0) {
        this.octets(name, at);
        this.u16(0xc000 | pointer);
        if (!this.overflowed) this.remember(start, start + at);
        return;
      }
      at += <u32>load<u8>(name + at) + 1;
    }
    this.plainName(name, size);
  }

  private remember(start: u32, end: u32): void {
    for (let at = start; at < end && at <= MAX_POINTER && this.suffixCount < MAX_SUFFIXES; ) {
      unchecked((this.suffixes[this.suffixCount++] = at));
      at += <u32>load<u8>(this.at + at) + 1;
    }
  }

  private find(suffix: usize, size: u32): u32 {
    for (let i: u32 = 0; i < this.suffixCount; i++) {
      const at = unchecked(this.suffixes[i]);
      if (this.equals(at, suffix, size)) return at;
    }
    return 0;
  }

  /** Whether the name written at `at` is `suffix`. Written pointers point backwards, so this ends. */
  private equals(at: u32, suffix: usize, size: u32): bool {
    let written = at;
    let left = size;
    let from = suffix;
    while (left > 0) {
      let octet = <u32>load<u8>(this.at + written);
      while (octet >= 192) {
        written = ((octet & 63) << 8) | <u32>load<u8>(this.at + written + 1);
        octet = <u32>load<u8>(this.at + written);
      }
      if (octet + 1 > left || octet != <u32>load<u8>(from)) return false;
      if (octet == 0) return left == 1;
      if (!equalFold(this.at + written + 1, from + 1, octet)) return false;
      written += octet + 1;
      from += octet + 1;
      left -= octet + 1;
    }
    return false;
  }
}
