// The dynamic table of an HPACK decoder (RFC 7541, section 2.3.2), of which only that is kept that somebody looks at: of
// other fields nothing but their size. Its memory is taken when the peer first puts something in.

import { Field } from "./fields";

/** RFC 9113, section 6.5.2: the size that a peer may use unless it is told otherwise. */
export const TABLE_SIZE: u32 = 4096;
/** What an entry counts beyond its octets (RFC 7541, section 4.1). */
export const ENTRY_OVERHEAD: u32 = 32;
const MAX_ENTRIES: u32 = TABLE_SIZE / ENTRY_OVERHEAD;
/** Values move to the front when they reach the end: twice their most, so that they seldom do. */
const ARENA: u32 = 2 * TABLE_SIZE;

@unmanaged
class Entry {
  field: Field;
  /** Octets of the name, and of the entry as the table counts it. */
  nameLength: u32;
  size: u32;
  /** The value, from the arena's beginning; no octets where the field is of no interest. */
  value: u32;
  valueLength: u32;
}

@final
export class DynamicTable {
  /** What the peer may use, and uses. */
  private limit: u32;
  private size: u32 = 0;
  count: u32 = 0;
  /** Where the newest entry is; the others follow, the oldest last. */
  private newest: u32 = 0;
  private entries: usize = 0;
  private arena: usize = 0;
  private arenaUsed: u32 = 0;

  /** `capacity`: TABLE_SIZE, or 0 for none. */
  constructor(private readonly capacity: u32) {
    this.limit = capacity;
  }

  /** Entry `index` of those there are, from 0, the newest first. */
  private at(index: u32): Entry {
    const slot = (this.newest + index) % MAX_ENTRIES;
    return changetype<Entry>(this.entries + slot * offsetof<Entry>());
  }

  field(index: u32): Field {
    return this.at(index).field;
  }

  nameLength(index: u32): u32 {
    return this.at(index).nameLength;
  }

  valueLength(index: u32): u32 {
    return this.at(index).valueLength;
  }

  /** Good until something is added. */
  value(index: u32): usize {
    return this.arena + this.at(index).value;
  }

  sizeOf(index: u32): u32 {
    return this.at(index).size;
  }

  /**
   * The peer uses less, or more again (RFC 7541, section 6.3); false where it must not. Until it has read our SETTINGS it
   * may say TABLE_SIZE, whatever we have.
   */
  resize(limit: u32): bool {
    if (limit > TABLE_SIZE) return false;
    this.limit = min(limit, this.capacity);
    this.evict(0);
    return true;
  }

  /** Adds an entry whose name and value have these lengths; `kept` octets of the value at `value` are kept. */
  add(field: Field, nameLength: u32, valueLength: u32, value: usize, kept: u32): void {
    const size = nameLength + valueLength + ENTRY_OVERHEAD;
    this.evict(min(size, this.limit));
    // What is larger than the table empties it, and that is no error (RFC 7541, section 4.4).
    if (size > this.limit) {
      this.count = 0;
      this.size = 0;
      return;
    }
    if (this.entries == 0) {
      this.entries = heap.alloc(MAX_ENTRIES * offsetof<Entry>());
      this.arena = heap.alloc(ARENA);
    }
    if (kept > ARENA - this.arenaUsed) this.compact();
    this.newest = (this.newest + MAX_ENTRIES - 1) % MAX_ENTRIES;
    this.count++;
    this.size += size;
    const entry = this.at(0);
    entry.field = field;
    entry.nameLength = nameLength;
    entry.size = size;
    entry.value = this.arenaUsed;
    entry.valueLength = kept;
    memory.copy(this.arena + this.arenaUsed, value, kept);
    this.arenaUsed += kept;
  }

  /** Takes the oldest entries out until `size` more octets fit. */
  private evict(size: u32): void {
    while (this.count > 0 && this.size + size > this.limit) {
      this.size -= this.at(this.count - 1).size;
      this.count--;
    }
    if (this.count == 0) this.arenaUsed = 0;
  }

  /** Values of entries that are still there stand in the arena in the order of their age. */
  private compact(): void {
    let used: u32 = 0;
    for (let i = <i32>this.count - 1; i >= 0; i--) {
      const entry = this.at(i);
      memory.copy(this.arena + used, this.arena + entry.value, entry.valueLength);
      entry.value = used;
      used += entry.valueLength;
    }
    this.arenaUsed = used;
  }

  free(): void {
    if (this.entries == 0) return;
    heap.free(this.entries);
    heap.free(this.arena);
    this.entries = 0;
    this.count = 0;
  }
}
