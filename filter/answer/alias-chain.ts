// The names from the one that was asked for to the one that has the records: each CNAME leads on (RFC 1034, section 3.6.2).

import { copyLower, NameKey, nameEnd, readName } from "../wire/name";
import { Type } from "../wire/types";
import { MessageRecord } from "./message-record";

/** Longest chain of aliases that an answer may have. */
const MAX_ALIASES: i32 = 16;
/** The name that was asked for, and one for each alias. */
const MAX_NAMES: i32 = MAX_ALIASES + 1;

const target: usize = memory.data(256);
const folded: usize = memory.data(256);

@final
export class AliasChain {
  /** In lower case, 256 octets apart. */
  private readonly names: usize = heap.alloc(MAX_NAMES * 256);
  private readonly lengths: StaticArray<u32> = new StaticArray<u32>(MAX_NAMES);
  count: i32 = 0;

  begin(asked: NameKey): void {
    this.count = 0;
    this.add(asked.at, asked.length);
  }

  /**
   * Follows the CNAMEs among `count` records from `start`, in whatever order they stand; false where one is malformed, or
   * the chain is too long or runs in a circle.
   */
  follow(record: MessageRecord, start: u32, count: u32): bool {
    let grown = true;
    while (grown) {
      grown = false;
      let at = start;
      for (let i: u32 = 0; i < count; i++) {
        at = record.read(at);
        if (at == 0) return false;
        if (record.type != Type.CNAME || !this.endsWith(record.folded, record.ownerLength)) continue;
        const size = readName(record.message, record.dataEnd, record.dataAt, target);
        if (size == 0 || nameEnd != record.dataEnd || this.count == MAX_NAMES) return false;
        copyLower(folded, target, size);
        if (this.has(folded, size)) return false;
        this.add(folded, size);
        grown = true;
      }
    }
    return true;
  }

  has(name: usize, size: u32): bool {
    for (let i = 0; i < this.count; i++) if (this.isAt(i, name, size)) return true;
    return false;
  }

  endsWith(name: usize, size: u32): bool {
    return this.isAt(this.count - 1, name, size);
  }

  /** Whether one of the names lies below `name`, which may be a DNAME's owner (RFC 6672). */
  isBelow(name: usize, size: u32): bool {
    for (let i = 0; i < this.count; i++) {
      const length = unchecked(this.lengths[i]);
      const at = this.names + (i << 8);
      let offset: u32 = 0;
      while (length - offset > size) offset += <u32>load<u8>(at + offset) + 1;
      if (offset > 0 && length - offset == size && memory.compare(at + offset, name, size) == 0) return true;
    }
    return false;
  }

  private add(name: usize, size: u32): void {
    memory.copy(this.names + (this.count << 8), name, size);
    unchecked((this.lengths[this.count++] = size));
  }

  private isAt(i: i32, name: usize, size: u32): bool {
    return unchecked(this.lengths[i]) == size && memory.compare(this.names + (i << 8), name, size) == 0;
  }
}
