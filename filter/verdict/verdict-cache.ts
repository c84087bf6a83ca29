// Verdicts by subject and scope: the reason why the policy service is not on the hot path. A name is looked up from the
// root down, since most verdicts hold for everything below a short suffix.

import { Node, S3Fifo } from "../cache/s3-fifo";
import { hashLabel, isName, mix, NameKey } from "../wire/name";
import { ProtoReader } from "../wire/protobuf";
import { Extent, releaseVerdict, retainVerdict, Verdict } from "./verdict";
import { VerdictReader } from "./verdict-reader";

@unmanaged
class Entry extends Node {
  verdict: Verdict;
  /** Monotonic microseconds; 0 is as long as the revision. */
  expiresAt: u64;
  subject: u64;
  transports: u32;
  ownerLength: u32;
  typeCount: u16;
  exceptCount: u16;
  extent: Extent;
  typesExcluded: bool;
}

const HEAD: usize = (offsetof<Entry>() + 7) & ~7;
/** Entries of one subject and owner that are looked through: they differ in types, transports or extent. */
const MAX_SIBLINGS: u32 = 64;

@final
export class VerdictCache extends S3Fifo {
  /** Whether the verdict that `find` returned last holds for as long as the revision. */
  foundLasting: bool = false;
  private readonly reader: ProtoReader = new ProtoReader();
  private readonly name: NameKey = new NameKey();

  /** The verdict that holds for this question, whose reference the cache keeps; null where none is known. */
  find(subject: u64, key: NameKey, type: u32, transport: u32, now: u64): Verdict | null {
    for (let labels = key.international; labels <= key.labels; labels++) {
      const hash = hashOf(subject, key, labels);
      let siblings: u32 = 0;
      let node = this.first(hash);
      while (node !== null) {
        if (node.hash == hash) {
          const entry = changetype<Entry>(node);
          if (covers(entry, subject, key, labels, type, transport)) {
            if (entry.expiresAt == 0 || now < entry.expiresAt) {
              this.touch(entry);
              this.foundLasting = entry.expiresAt == 0;
              return entry.verdict;
            }
          }
          if (++siblings > MAX_SIBLINGS) break;
        }
        node = node.next;
      }
    }
    return null;
  }

  /** Keeps the verdict that was read for the question; takes a reference of its own. False where the scope does not cover it. */
  put(read: VerdictReader, key: NameKey, type: u32, transport: u32, now: u64): bool {
    const verdict = read.verdict;
    if (verdict === null || read.labels > key.labels || read.labels < key.international) return false;
    const ownerLength = key.suffixLength(read.labels);
    const size = HEAD + (read.typeCount << 2) + (read.exceptCount << 2) + ownerLength;
    const entry = changetype<Entry>(heap.alloc(size));
    entry.hash = hashOf(verdict.subject, key, read.labels);
    entry.size = <u32>size + verdict.size;
    entry.verdict = retainVerdict(verdict);
    entry.expiresAt = read.lifetime == 0 ? 0 : now + <u64>read.lifetime * 1000;
    entry.subject = verdict.subject;
    entry.transports = read.transports;
    entry.ownerLength = ownerLength;
    entry.typeCount = <u16>read.typeCount;
    entry.exceptCount = <u16>read.exceptCount;
    entry.extent = read.extent;
    entry.typesExcluded = read.typesExcluded;
    for (let i = 0; i < read.typeCount; i++) store<u32>(typesAt(entry) + (i << 2), unchecked(read.types[i]));
    for (let i = 0; i < read.exceptCount; i++) store<u32>(exceptAt(entry) + (i << 2), unchecked(read.except[i]));
    memory.copy(ownerAt(entry), key.suffixAt(read.labels), ownerLength);
    if (!covers(entry, verdict.subject, key, read.labels, type, transport)) {
      this.free(entry);
      return false;
    }
    this.insert(entry);
    return true;
  }

  /**
   * Forgets the verdicts whose scopes may have one of these names in them, or one below. `at`: a ListsChanged of
   * protos/sync.proto. False where it is none, and nothing is forgotten.
   */
  forgetNear(at: usize, length: u32): bool {
    const name = this.name;
    const changed = new Set<u64>();
    const above = new Set<u64>();
    const reader = this.reader.begin(at, length);
    while (reader.next()) {
      if (reader.field != 2) {
        reader.skip();
        continue;
      }
      reader.bytes();
      if (reader.failed || !isName(reader.bytesAt, reader.bytesLength)) return false;
      name.set(reader.bytesAt, reader.bytesLength);
      changed.add(name.hash);
      for (let labels: u32 = 0; labels < name.labels; labels++) above.add(name.suffixHash(labels));
    }
    if (reader.failed) return false;
    let node = this.nextKept(null);
    while (node !== null) {
      const next = this.nextKept(node);
      const entry = changetype<Entry>(node);
      name.set(ownerAt(entry), entry.ownerLength);
      // By which of the changed names an international one is judged is not known here.
      if (name.international > 0 || above.has(name.hash) || this.isAtOrBelow(changed)) this.remove(node);
      node = next;
    }
    return true;
  }

  /** Whether `name` or one above it is one of these. */
  private isAtOrBelow(names: Set<u64>): bool {
    const name = this.name;
    for (let labels: u32 = 0; labels <= name.labels; labels++) {
      if (names.has(name.suffixHash(labels))) return true;
    }
    return false;
  }

  protected free(node: Node): void {
    releaseVerdict(changetype<Entry>(node).verdict);
    heap.free(changetype<usize>(node));
  }
}

function typesAt(entry: Entry): usize {
  return changetype<usize>(entry) + HEAD;
}

function exceptAt(entry: Entry): usize {
  return typesAt(entry) + ((<usize>entry.typeCount) << 2);
}

function ownerAt(entry: Entry): usize {
  return exceptAt(entry) + ((<usize>entry.exceptCount) << 2);
}

function hashOf(subject: u64, key: NameKey, labels: u32): u64 {
  return mix(key.suffixHash(labels), subject);
}

function covers(entry: Entry, subject: u64, key: NameKey, labels: u32, type: u32, transport: u32): bool {
  if (entry.subject != subject) return false;
  if (entry.transports != 0 && !(entry.transports & (1 << transport))) return false;
  if (labels == key.labels ? entry.extent == Extent.Below : entry.extent == Extent.Exact) return false;
  const length = entry.ownerLength;
  if (key.suffixLength(labels) != length || memory.compare(key.suffixAt(labels), ownerAt(entry), length) != 0)
    return false;
  if (entry.typeCount != 0 && contains(typesAt(entry), entry.typeCount, type) == entry.typesExcluded) return false;
  if (entry.exceptCount != 0 && labels < key.labels) {
    const next = key.suffixAt(labels + 1);
    const hash = hashLabel(next + 1, load<u8>(next));
    if (contains(exceptAt(entry), entry.exceptCount, hash)) return false;
  }
  return true;
}

function contains(list: usize, count: u32, value: u32): bool {
  for (let i: u32 = 0; i < count; i++) {
    if (load<u32>(list + (i << 2)) == value) return true;
  }
  return false;
}
