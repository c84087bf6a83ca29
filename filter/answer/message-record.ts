// One record of an upstream's message at a time (RFC 1035, section 4.1.3), within the bounds of the message.

import { copyLower, nameEnd, readName, skipName } from "../wire/name";
import { CLASS_IN, read16, read32, Type } from "../wire/types";

@final
export class MessageRecord {
  message: usize = 0;
  /** Octets of the message. */
  length: u32 = 0;
  /** The owner as it is written, uncompressed, and the same in lower case. */
  readonly owner: usize = heap.alloc(256);
  readonly folded: usize = heap.alloc(256);
  ownerLength: u32 = 0;
  /** 0 for a record of another class than IN, but for OPT. */
  type: u32 = 0;
  /** Seconds. */
  ttl: u32 = 0;
  /** Offset and octets of its data. */
  dataAt: u32 = 0;
  dataLength: u32 = 0;

  get dataEnd(): u32 {
    return this.dataAt + this.dataLength;
  }

  /** Reads the record at `at`; the offset after it, or 0 where it is malformed. */
  read(at: u32): u32 {
    const size = readName(this.message, this.length, at, this.owner);
    if (size == 0 || this.length - nameEnd < 10) return 0;
    copyLower(this.folded, this.owner, size);
    const head = this.message + nameEnd;
    this.ownerLength = size;
    this.type = read16(head);
    const ttl = read32(head + 4);
    // RFC 2181, section 8: a TTL with the top bit set is zero.
    this.ttl = ttl >> 31 != 0 ? 0 : ttl;
    this.dataAt = nameEnd + 10;
    this.dataLength = read16(head + 8);
    if (this.dataLength > this.length - this.dataAt) return 0;
    if (this.type != Type.OPT && read16(head + 2) != CLASS_IN) this.type = 0;
    return this.dataEnd;
  }

  /** The offset after `count` records from `start`; 0 where one is malformed. */
  skip(start: u32, count: u32): u32 {
    let at = start;
    for (let i: u32 = 0; i < count; i++) {
      at = skipName(this.message, this.length, at);
      if (at == 0 || this.length - at < 10) return 0;
      const size = read16(this.message + at + 8);
      if (size > this.length - at - 10) return 0;
      at += 10 + size;
    }
    return at;
  }

  /** Puts another name in the place of its owner. */
  rename(name: usize, length: u32): void {
    memory.copy(this.owner, name, length);
    this.ownerLength = length;
  }
}
