// Domain names in wire format (RFC 1035, section 3.1): a type for the name of a question, and reading names out of
// messages. A name that is read is uncompressed, at most 255 octets, ends with the root label, and holds any octets.

export const MAX_NAME: u32 = 255;
export const MAX_LABELS: u32 = 128;
/** Enough for any name of 255 octets: each pointer must be followed by at least one label to go on. */
const MAX_POINTERS: u32 = 127;

/** Offset after the name that the last `readName` read. */
export let nameEnd: u32 = 0;

/**
 * Copies the name at `offset` to `out` (room for MAX_NAME) and returns its length, 0 where it is malformed.
 * Compression pointers (RFC 1035, section 4.1.4) must point before the place where the name was begun or last went on.
 */
export function readName(message: usize, length: u32, offset: u32, out: usize): u32 {
  let at = offset;
  let limit = offset;
  let end: u32 = 0;
  let used: u32 = 0;
  let pointers: u32 = 0;
  while (at < length) {
    const size = <u32>load<u8>(message + at);
    if (size < 64) {
      if (size >= length - at || used + size + 1 > MAX_NAME) return 0;
      memory.copy(out + used, message + at, size + 1);
      used += size + 1;
      at += size + 1;
      if (size == 0) {
        nameEnd = end != 0 ? end : at;
        return used;
      }
    } else {
      if (size < 192 || length - at < 2 || ++pointers > MAX_POINTERS) return 0;
      const target = ((size & 63) << 8) | <u32>load<u8>(message + at + 1);
      if (end == 0) end = at + 2;
      if (target >= limit || target < 12) return 0;
      limit = target;
      at = target;
    }
  }
  return 0;
}

/** Offset after the name at `offset` without copying it, 0 where it is cut short. Pointers are not followed. */
export function skipName(message: usize, length: u32, offset: u32): u32 {
  let at = offset;
  while (at < length) {
    const size = <u32>load<u8>(message + at);
    if (size == 0) return at + 1;
    if (size >= 192) return length - at < 2 ? 0 : at + 2;
    if (size >= 64) return 0;
    at += size + 1;
  }
  return 0;
}

/** Whether these are the octets of one whole name, uncompressed. */
export function isName(name: usize, length: u32): bool {
  if (length == 0 || length > MAX_NAME) return false;
  let at: u32 = 0;
  while (at < length) {
    const size = <u32>load<u8>(name + at);
    if (size == 0) return at + 1 == length;
    if (size > 63) return false;
    at += size + 1;
  }
  return false;
}

/** Labels of a whole name, without the root. */
export function labelsOf(name: usize): u32 {
  let labels: u32 = 0;
  for (let at = name; load<u8>(at) != 0; at += <usize>load<u8>(at) + 1) labels++;
  return labels;
}

/** The octet in lower case (RFC 4343: ASCII letters only). */
export function lower(octet: u32): u32 {
  return octet - 65 < 26 ? octet | 32 : octet;
}

/** Copies a wire-format name in lower case: length octets are below 64 and so stay as they are. */
export function copyLower(out: usize, name: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(out + i, <u8>lower(load<u8>(name + i)));
}

export function equalFold(a: usize, b: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) {
    if (lower(load<u8>(a + i)) != lower(load<u8>(b + i))) return false;
  }
  return true;
}

const FNV_OFFSET: u32 = 0x811c9dc5;
const FNV_PRIME: u32 = 0x01000193;

/** FNV-1a, 32 bits, over a label's octets (`Scope.except` of protos/verdict.proto). `label` is in lower case. */
export function hashLabel(label: usize, length: u32): u32 {
  let hash = FNV_OFFSET;
  for (let i: u32 = 0; i < length; i++) hash = (hash ^ load<u8>(label + i)) * FNV_PRIME;
  return hash;
}

const ABOVE_127: u64 = 0x8080808080808080;

/** Drawn once a VM, so that nobody can choose names that collide in the caches. */
let seed: u64 = 0;

export function seedNameHashes(random: u64): void {
  seed = random | 1;
}

export function mix(hash: u64, value: u64): u64 {
  const x = (hash ^ value) * 0x9e3779b97f4a7c15;
  return x ^ (x >> 29);
}

/**
 * A name in lower case with a keyed hash for each of its suffixes: what every cache is asked with. The suffix of
 * `k` labels begins at `suffixAt(k)` and hashes to `suffixHash(k)`; 0 labels is the root.
 */
@final
export class NameKey {
  readonly at: usize = heap.alloc(MAX_NAME + 1);
  length: u32 = 0;
  /** Labels without the root. */
  labels: u32 = 0;
  /**
   * Trailing labels of which the first has octets above 127, 0 where none has: such names are judged by other octets than these, and
   * what holds for a domain above says nothing of them.
   */
  international: u32 = 0;
  private readonly hashes: usize = heap.alloc((MAX_LABELS + 1) * 8);
  private readonly offsets: usize = heap.alloc(MAX_LABELS + 1);

  /** `name` is a well-formed wire-format name in any case. */
  set(name: usize, length: u32): void {
    copyLower(this.at, name, length);
    this.index(length);
  }

  copy(other: NameKey): void {
    memory.copy(this.at, other.at, other.length);
    memory.copy(this.hashes, other.hashes, (other.labels + 1) << 3);
    memory.copy(this.offsets, other.offsets, other.labels + 1);
    this.length = other.length;
    this.labels = other.labels;
    this.international = other.international;
  }

  private index(length: u32): void {
    const at = this.at;
    let count: u32 = 0;
    for (let i: u32 = 0; i < length - 1; i += <u32>load<u8>(at + i) + 1) {
      store<u8>(this.offsets + count, <u8>i);
      count++;
    }
    this.length = length;
    this.labels = count;
    // Offsets are in the order of the labels; suffix k begins at label count - k.
    let hash = seed;
    let international: u32 = 0;
    store<u64>(this.hashes, hash);
    for (let k: u32 = 1; k <= count; k++) {
      const start = at + load<u8>(this.offsets + count - k);
      const size = <u32>load<u8>(start) + 1;
      let i: u32 = 0;
      let octets: u64 = 0;
      for (; i + 8 <= size; i += 8) {
        const eight = load<u64>(start + i);
        octets |= eight;
        hash = mix(hash, eight);
      }
      let rest: u64 = 0;
      for (; i < size; i++) rest = (rest << 8) | load<u8>(start + i);
      hash = mix(hash, rest ^ ((<u64>size) << 56));
      store<u64>(this.hashes + (k << 3), hash);
      if ((octets | rest) & ABOVE_127) international = k;
    }
    this.international = international;
  }

  @inline
  get hash(): u64 {
    return load<u64>(this.hashes + (this.labels << 3));
  }

  @inline
  suffixHash(labels: u32): u64 {
    return load<u64>(this.hashes + (labels << 3));
  }

  /** Where the suffix of `labels` labels begins; its length is `suffixLength(labels)`. */
  @inline
  suffixAt(labels: u32): usize {
    return labels == 0 ? this.at + this.length - 1 : this.at + load<u8>(this.offsets + this.labels - labels);
  }

  @inline
  suffixLength(labels: u32): u32 {
    return <u32>(this.at + this.length - this.suffixAt(labels));
  }

  equals(name: usize, length: u32): bool {
    return length == this.length && memory.compare(this.at, name, length) == 0;
  }
}
