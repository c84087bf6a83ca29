// The names of the mesh that this worker was told of (MeshUpdate of protos/sync.proto): a hash table of names, each as
// one group has it, and for each tenant's view which groups it may know and whose names come first. Entries live outside
// the garbage collector. A name that a view does not have is found in no other way than one that is not there.

import { copyLower, NameKey } from "../wire/name";

/** Fixed head of a block; the name and the records follow. */
@unmanaged
export class Entry {
  next: Entry | null;
  hash: u64;
  group: u32;
  ttl: u32;
  nameLength: u32;
  /** Records: type and length of the data, 16 bits each in network order, and the data. */
  recordsLength: u32;
  /** So many records, the first, are nearer than the others; 0: all are alike. */
  near: u16;
  wildcard: bool;
}

const HEAD: usize = (offsetof<Entry>() + 7) & ~7;
/** What the heap adds to a block, about. */
const OVERHEAD: usize = 16;
const FIRST_BUCKETS: u32 = 1024;
/** Buckets that move with each name that is put, into twice as many: they are all there before those are full. */
const MOVED_AT_ONCE: u32 = 2;
/** A group's number is a place in the lists of the views. */
const MAX_GROUP: u32 = 1 << 20;
const MAX_SEARCH_DOMAINS: i32 = 32;
const MAX_ZONES: i32 = 256;

/** The name that is put or removed. */
const asked = new NameKey();

export function entryNameAt(entry: Entry): usize {
  return changetype<usize>(entry) + HEAD;
}

export function recordsAt(entry: Entry): usize {
  return entryNameAt(entry) + entry.nameLength;
}

/** A name that others end with, in lower case. Kept by the garbage collector, unlike a NameKey. */
@final
export class Suffix {
  private readonly octets: StaticArray<u8>;
  readonly labels: u32;

  constructor(name: usize, length: u32) {
    this.octets = new StaticArray<u8>(<i32>length);
    copyLower(changetype<usize>(this.octets), name, length);
    let labels: u32 = 0;
    for (let at: u32 = 0; load<u8>(name + at) != 0; at += <u32>load<u8>(name + at) + 1) labels++;
    this.labels = labels;
  }

  get at(): usize {
    return changetype<usize>(this.octets);
  }

  get length(): u32 {
    return <u32>this.octets.length;
  }

  /** Whether the name is this one, or below it. */
  covers(key: NameKey): bool {
    const labels = this.labels;
    if (labels > key.labels || key.suffixLength(labels) != this.length) return false;
    return memory.compare(key.suffixAt(labels), this.at, this.length) == 0;
  }
}

/** The names that a tenant has. */
@final
export class View {
  /** By the number of the group: 0 where it may not know it, else the less, the sooner. */
  ranks: StaticArray<u32> = new StaticArray<u32>(0);
  readonly searchDomains: Array<Suffix> = new Array<Suffix>();

  addSearchDomain(name: usize, length: u32): void {
    if (this.searchDomains.length == MAX_SEARCH_DOMAINS) return;
    this.searchDomains.push(new Suffix(name, length));
  }

  @inline
  rankOf(group: u32): u32 {
    return group < <u32>this.ranks.length ? unchecked(this.ranks[group]) : 0;
  }
}

@final
export class MeshTable {
  readonly views: Map<u64, View> = new Map<u64, View>();
  /** Octets that it takes. */
  bytes: usize = 0;
  /** There was no room for something: what is not found may be there all the same. */
  full: bool = false;
  count: u32 = 0;
  private buckets: StaticArray<usize> = new StaticArray<usize>(FIRST_BUCKETS);
  /** Half as many, before the table grew, the first `moved` of them empty: half a million names would take 40 ms to move at once. */
  private before: StaticArray<usize> | null = null;
  private moved: u32 = 0;
  /** Buckets of a table that goes, from the first on, that have nothing any more. */
  private emptied: u32 = 0;
  private wildcards: u32 = 0;
  private readonly zones: Array<Suffix> = new Array<Suffix>();

  constructor(private readonly limit: usize) {}

  addZone(name: usize, length: u32): void {
    if (this.zones.length == MAX_ZONES) return;
    this.zones.push(new Suffix(name, length));
  }

  /** Labels of the zone that the name is in, or -1: in a zone, what is not found does not exist. */
  zoneOf(key: NameKey): i32 {
    const zones = this.zones;
    let labels: i32 = -1;
    for (let i = 0; i < zones.length; i++) {
      const zone = unchecked(zones[i]);
      if (<i32>zone.labels > labels && zone.covers(key)) labels = <i32>zone.labels;
    }
    return labels;
  }

  /** `name` is a sound name in lower case. */
  put(
    name: usize,
    nameLength: u32,
    group: u32,
    wildcard: bool,
    ttl: u32,
    records: usize,
    recordsLength: u32,
    near: u32,
  ): void {
    if (group > MAX_GROUP) return;
    this.remove(name, nameLength, group, wildcard);
    this.move(MOVED_AT_ONCE);
    const size = HEAD + nameLength + recordsLength;
    if (this.bytes + size + OVERHEAD > this.limit) {
      this.full = true;
      return;
    }
    if (this.count >= <u32>this.buckets.length) this.grow();
    const entry = changetype<Entry>(heap.alloc(size));
    entry.hash = asked.hash;
    entry.group = group;
    entry.ttl = ttl;
    entry.nameLength = nameLength;
    entry.recordsLength = recordsLength;
    entry.wildcard = wildcard;
    entry.near = <u16>min<u32>(near, 0xffff);
    memory.copy(entryNameAt(entry), name, nameLength);
    memory.copy(recordsAt(entry), records, recordsLength);
    push(this.bucketOf(entry.hash), entry);
    this.count++;
    this.bytes += size + OVERHEAD;
    if (wildcard) this.wildcards++;
  }

  remove(name: usize, nameLength: u32, group: u32, wildcard: bool): void {
    asked.set(name, nameLength);
    const hash = asked.hash;
    const bucket = this.bucketOf(hash);
    let before: Entry | null = null;
    let at = changetype<Entry | null>(load<usize>(bucket));
    while (at !== null) {
      const next = at.next;
      if (at.group == group && at.wildcard == wildcard && isNamed(at, hash, name, nameLength)) {
        if (before !== null) before.next = next;
        else store<usize>(bucket, changetype<usize>(next));
        this.count--;
        this.bytes -= HEAD + at.nameLength + at.recordsLength + OVERHEAD;
        if (wildcard) this.wildcards--;
        heap.free(changetype<usize>(at));
        return;
      }
      before = at;
      at = next;
    }
  }

  /** What the view has of the name: by itself, or by the nearest wildcard above it; null where it has nothing. */
  find(view: View, key: NameKey): Entry | null {
    const own = this.best(view, key.hash, key.at, key.length, false);
    if (own !== null || this.wildcards == 0) return own;
    for (let labels = key.labels; labels > 1; labels--) {
      const above = labels - 1;
      const found = this.best(view, key.suffixHash(above), key.suffixAt(above), key.suffixLength(above), true);
      if (found !== null) return found;
    }
    return null;
  }

  private best(view: View, hash: u64, name: usize, length: u32, wildcard: bool): Entry | null {
    let best: Entry | null = null;
    let bestRank: u32 = 0;
    let at = changetype<Entry | null>(load<usize>(this.bucketOf(hash)));
    while (at !== null) {
      if (at.hash == hash && at.wildcard == wildcard) {
        const rank = view.rankOf(at.group);
        if (rank != 0 && (bestRank == 0 || rank < bestRank) && isNamed(at, hash, name, length)) {
          best = at;
          bestRank = rank;
        }
      }
      at = at.next;
    }
    return best;
  }

  /** Gives so many names back, of a table that nobody asks any more; whether there are more. */
  giveBack(most: u32): bool {
    const left = this.count > most ? this.count - most : 0;
    const before = this.before;
    const unmoved: u32 = before === null ? 0 : before.length;
    while (this.count > left) {
      const number = this.emptied++;
      const buckets = before !== null && number < unmoved ? before : this.buckets;
      const bucket = slotOf(buckets, number < unmoved ? number : number - unmoved);
      for (let at = changetype<Entry | null>(load<usize>(bucket)); at !== null; this.count--) {
        const next = at.next;
        heap.free(changetype<usize>(at));
        at = next;
      }
    }
    return this.count > 0;
  }

  /** Where the first of the names with this hash, and of others, is. */
  @inline
  private bucketOf(hash: u64): usize {
    const number = <u32>(hash >> 32);
    const before = this.before;
    if (before !== null) {
      const old = number & (<u32>before.length - 1);
      if (old >= this.moved) return slotOf(before, old);
    }
    return slotOf(this.buckets, number & (<u32>this.buckets.length - 1));
  }

  private grow(): void {
    this.move(u32.MAX_VALUE);
    this.before = this.buckets;
    this.moved = 0;
    this.buckets = new StaticArray<usize>(this.buckets.length * 2);
  }

  /** So many of the buckets that there were before the table grew. */
  private move(most: u32): void {
    const before = this.before;
    if (before === null) return;
    const unmoved = <u32>before.length - this.moved;
    for (let left = min(most, unmoved); left > 0; left--) {
      const bucket = slotOf(before, this.moved++);
      let at = changetype<Entry | null>(load<usize>(bucket));
      store<usize>(bucket, 0);
      while (at !== null) {
        const next = at.next;
        push(this.bucketOf(at.hash), at);
        at = next;
      }
    }
    if (most >= unmoved) this.before = null;
  }
}

function slotOf(buckets: StaticArray<usize>, number: u32): usize {
  return changetype<usize>(buckets) + ((<usize>number) << alignof<usize>());
}

function push(bucket: usize, entry: Entry): void {
  entry.next = changetype<Entry | null>(load<usize>(bucket));
  store<usize>(bucket, changetype<usize>(entry));
}

function isNamed(entry: Entry, hash: u64, name: usize, length: u32): bool {
  return entry.hash == hash && entry.nameLength == length && memory.compare(entryNameAt(entry), name, length) == 0;
}
