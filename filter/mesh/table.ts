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
    const bucket = this.bucketOf(entry.hash);
    entry.next = changetype<Entry | null>(unchecked(this.buckets[bucket]));
    unchecked((this.buckets[bucket] = changetype<usize>(entry)));
    this.count++;
    this.bytes += size + OVERHEAD;
    if (wildcard) this.wildcards++;
  }

  remove(name: usize, nameLength: u32, group: u32, wildcard: bool): void {
    asked.set(name, nameLength);
    const hash = asked.hash;
    const bucket = this.bucketOf(hash);
    let before: Entry | null = null;
    let at = changetype<Entry | null>(unchecked(this.buckets[bucket]));
    while (at !== null) {
      const next = at.next;
      if (at.group == group && at.wildcard == wildcard && isNamed(at, hash, name, nameLength)) {
        if (before !== null) before.next = next;
        else unchecked((this.buckets[bucket] = changetype<usize>(next)));
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
    let at = changetype<Entry | null>(unchecked(this.buckets[this.bucketOf(hash)]));
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

  /** Gives everything back. */
  clear(): void {
    for (let i = 0; i < this.buckets.length; i++) {
      let at = changetype<Entry | null>(unchecked(this.buckets[i]));
      while (at !== null) {
        const next = at.next;
        heap.free(changetype<usize>(at));
        at = next;
      }
      unchecked((this.buckets[i] = 0));
    }
    this.count = 0;
    this.bytes = 0;
    this.wildcards = 0;
    this.views.clear();
  }

  @inline
  private bucketOf(hash: u64): u32 {
    return <u32>(hash >> 32) & (<u32>this.buckets.length - 1);
  }

  private grow(): void {
    const old = this.buckets;
    this.buckets = new StaticArray<usize>(old.length * 2);
    for (let i = 0; i < old.length; i++) {
      let at = changetype<Entry | null>(unchecked(old[i]));
      while (at !== null) {
        const next = at.next;
        const bucket = this.bucketOf(at.hash);
        at.next = changetype<Entry | null>(unchecked(this.buckets[bucket]));
        unchecked((this.buckets[bucket] = changetype<usize>(at)));
        at = next;
      }
    }
  }
}

function isNamed(entry: Entry, hash: u64, name: usize, length: u32): bool {
  return entry.hash == hash && entry.nameLength == length && memory.compare(entryNameAt(entry), name, length) == 0;
}
