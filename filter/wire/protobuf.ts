// Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding/), as much as protos/ needs. Reading
// has a sticky error: whoever reads checks `failed` once at the end.

@final
export class ProtoReader {
  private at: usize = 0;
  private end: usize = 0;
  failed: bool = false;
  /** Number and wire type of the field that `next` found. */
  field: u32 = 0;
  wireType: u32 = 0;
  /** What `bytes` read. */
  bytesAt: usize = 0;
  bytesLength: u32 = 0;

  begin(at: usize, length: u32): this {
    this.at = at;
    this.end = at + length;
    this.failed = false;
    return this;
  }

  get atEnd(): bool {
    return this.at >= this.end;
  }

  /** Goes on to the next field; false at the end or where the message is broken. */
  next(): bool {
    if (this.failed || this.at >= this.end) return false;
    const key = this.varint();
    this.field = <u32>(key >> 3);
    this.wireType = <u32>(key & 7);
    if (key >> 32 != 0 || this.field == 0) this.failed = true;
    return !this.failed;
  }

  varint(): u64 {
    let value: u64 = 0;
    let shift: u64 = 0;
    while (this.at < this.end && shift < 64) {
      const octet = load<u8>(this.at++);
      value |= (<u64>(octet & 0x7f)) << shift;
      if (octet < 0x80) return value;
      shift += 7;
    }
    this.failed = true;
    return 0;
  }

  /** Value of a field of wire type 0, 0 and an error for any other. */
  number(): u64 {
    if (this.wireType != 0) this.failed = true;
    return this.failed ? 0 : this.varint();
  }

  fixed64(): u64 {
    if (this.wireType != 1 || this.end - this.at < 8) {
      this.failed = true;
      return 0;
    }
    this.at += 8;
    return load<u64>(this.at - 8);
  }

  /** Sets `bytesAt` and `bytesLength` to the contents of a field of wire type 2. */
  bytes(): void {
    const length = this.wireType == 2 ? this.varint() : 0;
    if (this.failed || this.wireType != 2 || length > this.end - this.at) {
      this.failed = true;
      this.bytesAt = this.at;
      this.bytesLength = 0;
      return;
    }
    this.bytesAt = this.at;
    this.bytesLength = <u32>length;
    this.at += <usize>length;
  }

  skip(): void {
    let size: u64 = 0;
    if (this.wireType == 0) this.varint();
    else if (this.wireType == 2) this.bytes();
    else if (this.wireType == 1) size = 8;
    else if (this.wireType == 5) size = 4;
    else this.failed = true;
    if (size > this.end - this.at) this.failed = true;
    else this.at += <usize>size;
  }
}

/** Writes into a buffer of fixed size; `full` once something did not fit, which is then not written. */
@final
export class ProtoWriter {
  readonly at: usize;
  length: u32 = 0;
  full: bool = false;

  constructor(readonly capacity: u32) {
    this.at = heap.alloc(capacity);
  }

  clear(): void {
    this.length = 0;
    this.full = false;
  }

  private room(size: u32): bool {
    if (size <= this.capacity - this.length) return true;
    this.full = true;
    return false;
  }

  private raw(value: u64): void {
    let rest = value;
    while (rest >= 0x80) {
      store<u8>(this.at + this.length++, <u8>rest | 0x80);
      rest >>= 7;
    }
    store<u8>(this.at + this.length++, <u8>rest);
  }

  /** A field of type uint32, uint64, bool or enum; zero is not written (proto3). */
  number(field: u32, value: u64): void {
    if (value == 0 || !this.room(15)) return;
    this.raw(field << 3);
    this.raw(value);
  }

  fixed64(field: u32, value: u64): void {
    if (!this.room(13)) return;
    this.raw((field << 3) | 1);
    store<u64>(this.at + this.length, value);
    this.length += 8;
  }

  bytes(field: u32, from: usize, size: u32): void {
    if (size == 0 || !this.room(size + 10)) return;
    this.raw((field << 3) | 2);
    this.raw(size);
    memory.copy(this.at + this.length, from, size);
    this.length += size;
  }

  /** Begins an element of a message field; `endMessage` with the value returned ends it. At most 16 KiB - 1 octets. */
  beginMessage(field: u32): u32 {
    if (!this.room(7)) return 0;
    this.raw((field << 3) | 2);
    this.length += 2;
    return this.length;
  }

  endMessage(start: u32): void {
    if (start == 0) return;
    const size = this.length - start;
    // A varint of two octets, whatever the size.
    store<u8>(this.at + start - 2, <u8>size | 0x80);
    store<u8>(this.at + start - 1, <u8>(size >> 7));
  }

  /** Takes back everything after `length`. */
  rewind(length: u32): void {
    this.length = length;
    this.full = false;
  }
}
