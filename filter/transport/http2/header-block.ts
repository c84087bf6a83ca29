// Header blocks of requests (HPACK, RFC 7541). A block is read once, from its first octet to its last, and what somebody
// looks at is in `request` until the next block is read.

import { DynamicTable, ENTRY_OVERHEAD, TABLE_SIZE } from "./dynamic-table";
import { FIRST_VALUE, Field, recognise, STATIC_TABLE, staticField, staticNameLength, staticValues } from "./fields";
import { decodeHuffman, MALFORMED } from "./huffman";

/** Octets of a header list as RFC 9113, section 6.5.2 counts them, and of fields in it. */
const MAX_LIST: u32 = 16 * 1024;
const MAX_FIELDS: u32 = 64;
/** Octets of a header block, all its frames together: twice a list that we take, so that most others are told why not. */
export const MAX_BLOCK: u32 = 32 * 1024;
/** Longest name that is looked at; longer ones are none of ours. */
const MAX_NAME: u32 = 256;
/** An integer has at most this many octets after its first: 28 bits (RFC 7541, section 5.1). */
const MAX_CONTINUED: u32 = 4;

const name: usize = memory.data(256);
/** Values of this block that somebody looks at, one after the other. */
const values: usize = heap.alloc(MAX_LIST);
/** Values that only have to be measured. */
const nothing: usize = heap.alloc(TABLE_SIZE);

/** Octets of a field's value; no place where there is none. */
@final
class Value {
  at: usize = 0;
  length: u32 = 0;

  clear(): void {
    this.at = 0;
    this.length = 0;
  }
}

/** The request whose block was read last. */
@final
class Request {
  readonly method: Value = new Value();
  readonly path: Value = new Value();
  readonly contentType: Value = new Value();
  readonly contentLength: Value = new Value();
  readonly source: Value = new Value();
  /** Not as RFC 9113, section 8 has it: an error of the stream. */
  isMalformed: bool = false;
  /** The list is larger than we take (431 of RFC 6585, section 5). */
  isTooLarge: bool = false;
  scheme: bool = false;
  authority: bool = false;

  clear(): void {
    this.method.clear();
    this.path.clear();
    this.contentType.clear();
    this.contentLength.clear();
    this.source.clear();
    this.isMalformed = false;
    this.isTooLarge = false;
    this.scheme = false;
    this.authority = false;
  }
}
export const request = new Request();

/** Reads the blocks of one connection. */
@final
export class HeaderReader {
  private readonly table: DynamicTable;
  private at: usize = 0;
  private end: usize = 0;
  private failed: bool = false;
  private used: u32 = 0;
  private listSize: u32 = 0;
  private listFields: u32 = 0;
  private isRegular: bool = false;

  /** `tableSize`: TABLE_SIZE, or 0 where the peer was told to use no dynamic table. */
  constructor(tableSize: u32) {
    this.table = new DynamicTable(tableSize);
  }

  free(): void {
    this.table.free();
  }

  /** Whether the block is well-formed; anything else is a connection error (RFC 9113, section 4.3). */
  read(block: usize, length: u32): bool {
    this.at = block;
    this.end = block + length;
    this.failed = false;
    this.used = 0;
    this.listSize = 0;
    this.listFields = 0;
    this.isRegular = false;
    request.clear();
    let isFirst = true;
    while (this.at < this.end && !this.failed) {
      const octet = <u32>load<u8>(this.at);
      if (octet & 0x80) {
        this.indexed();
      } else if (octet & 0x40) {
        this.literal(6, true);
      } else if (octet & 0x20) {
        // Dynamic table size update (section 6.3), only at the beginning of a block (section 4.2).
        if (!isFirst || !this.table.resize(this.integer(5))) return false;
        continue;
      } else {
        this.literal(4, false);
      }
      isFirst = false;
    }
    return !this.failed;
  }

  /** A field out of the tables (section 6.1). */
  private indexed(): void {
    const index = this.integer(7);
    if (this.failed || index == 0) {
      this.failed = true;
      return;
    }
    if (index <= STATIC_TABLE) {
      const isKnown = index - FIRST_VALUE < <u32>staticValues.length;
      const value = isKnown ? unchecked(staticValues[index - FIRST_VALUE]) : null;
      const length = value === null ? 0 : value.length;
      this.count(staticNameLength(index) + length);
      this.take(staticField(index), value === null ? 0 : value.at, length);
      return;
    }
    const entry = index - STATIC_TABLE - 1;
    const table = this.table;
    if (entry >= table.count) {
      this.failed = true;
      return;
    }
    this.count(table.sizeOf(entry) - ENTRY_OVERHEAD);
    const field = table.field(entry);
    const length = table.valueLength(entry);
    // The table may move its values before the block ends.
    const value = this.keep(table.value(entry), length);
    if (value != 0) this.take(field, value, length);
  }

  /** A literal field with an index of `prefix` bits for its name (section 6.2), for the table or not. */
  private literal(prefix: u32, isAdded: bool): void {
    const index = this.integer(prefix);
    if (this.failed) return;
    let field = Field.Other;
    let nameLength: u32 = 0;
    if (index == 0) {
      const length = this.text(name, MAX_NAME);
      field = length < 0 ? Field.Other : recognise(name, length);
      nameLength = length < 0 ? TABLE_SIZE : length;
    } else if (index <= STATIC_TABLE) {
      field = staticField(index);
      nameLength = staticNameLength(index);
    } else if (index - STATIC_TABLE - 1 < this.table.count) {
      field = this.table.field(index - STATIC_TABLE - 1);
      nameLength = this.table.nameLength(index - STATIC_TABLE - 1);
    } else {
      this.failed = true;
    }
    if (this.failed) return;
    if (field == Field.Other || field == Field.Forbidden) {
      const length = isAdded ? this.measured() : this.skipped();
      this.count(nameLength + length);
      if (isAdded && !this.failed) this.table.add(field, nameLength, length, nothing, 0);
      this.take(field, nothing, 0);
      return;
    }
    const room = MAX_LIST - this.used;
    const at = values + this.used;
    const length = this.text(at, room);
    if (this.failed) return;
    if (length < 0) {
      request.isTooLarge = true;
      if (isAdded) this.table.add(field, nameLength, TABLE_SIZE, nothing, 0);
      return;
    }
    this.used += length;
    this.count(nameLength + length);
    if (isAdded) this.table.add(field, nameLength, length, at, min(<u32>length, TABLE_SIZE));
    this.take(field, at, length);
  }

  /** Counts a field of so many octets to the list. */
  private count(size: u32): void {
    this.listSize += size + ENTRY_OVERHEAD;
    if (this.listSize > MAX_LIST || ++this.listFields > MAX_FIELDS) request.isTooLarge = true;
  }

  /** A copy of a value that outlives the table's; 0 where there is no room. */
  private keep(value: usize, length: u32): usize {
    if (length > MAX_LIST - this.used) {
      request.isTooLarge = true;
      return 0;
    }
    const at = values + this.used;
    memory.copy(at, value, length);
    this.used += length;
    return at;
  }

  /** A field has been read (RFC 9113, section 8.3: pseudo-header fields come first, and once). */
  private take(field: Field, at: usize, length: u32): void {
    switch (field) {
      case Field.Method:
        this.pseudo(request.method, at, length);
        return;
      case Field.Path:
        this.pseudo(request.path, at, length);
        return;
      case Field.Scheme:
        if (request.scheme || this.isRegular) request.isMalformed = true;
        request.scheme = true;
        return;
      case Field.Authority:
        if (request.authority || this.isRegular) request.isMalformed = true;
        request.authority = true;
        return;
    }
    this.isRegular = true;
    switch (field) {
      case Field.ContentType:
        set(request.contentType, at, length);
        return;
      case Field.ContentLength:
        set(request.contentLength, at, length);
        return;
      case Field.Source:
        set(request.source, at, length);
        return;
      case Field.Te:
        if (length != 8 || load<u64>(at) != TRAILERS) request.isMalformed = true;
        return;
      case Field.Forbidden:
        request.isMalformed = true;
    }
  }

  private pseudo(value: Value, at: usize, length: u32): void {
    if (this.isRegular || length == 0) request.isMalformed = true;
    set(value, at, length);
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

  /** Reads a string into `out`; its length, or -1 where it has more than `capacity` octets or is malformed. */
  private text(out: usize, capacity: u32): i32 {
    const isHuffman = this.at < this.end && (load<u8>(this.at) & 0x80) != 0;
    const length = this.integer(7);
    if (this.failed || length > this.end - this.at) {
      this.failed = true;
      return -1;
    }
    const from = this.at;
    this.at += length;
    if (isHuffman) {
      const decoded = decodeHuffman(from, length, out, capacity);
      if (decoded == MALFORMED) this.failed = true;
      return decoded < 0 ? -1 : decoded;
    }
    if (length > capacity) return -1;
    memory.copy(out, from, length);
    return <i32>length;
  }

  /** The length of a string that nobody looks at; what is longer than the table is as long as the table. */
  private measured(): u32 {
    const length = this.text(nothing, TABLE_SIZE);
    return length < 0 ? TABLE_SIZE : length;
  }

  /** The length of a string as it is encoded. */
  private skipped(): u32 {
    const length = this.integer(7);
    if (this.failed || length > this.end - this.at) {
      this.failed = true;
      return 0;
    }
    this.at += length;
    return length;
  }
}

/** `trailers`, the only thing that a request may say in `te` (RFC 9113, section 8.2.2). */
const TRAILERS: u64 = 0x7372_656c_6961_7274;

/** Sets a value that comes once; what comes twice is nobody's. */
function set(value: Value, at: usize, length: u32): void {
  if (value.at != 0) request.isMalformed = true;
  value.at = at;
  value.length = length;
}
