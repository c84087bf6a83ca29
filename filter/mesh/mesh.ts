// What this worker knows of the mesh, and whether it is what the policy service says: the table in use, and the one that
// is being told anew on a stream that has just begun. The old one answers until the new one is complete, and so for as
// long as the service is away.

import { isName } from "../wire/name";
import { ProtoReader } from "../wire/protobuf";
import { MeshTable, View } from "./table";

/** Views that a worker answers by; a worker has no more tenants than it can tell apart in its counts. */
const MAX_VIEWS: i32 = 4096;
const MAX_GROUPS: u32 = 1 << 20;
/**
 * Names of old tables that are given back at once, in a millisecond: half a million took 140 ms, in which no query was
 * answered. It is more than an update brings, so that old tables go sooner than the next one comes.
 */
const GIVEN_BACK: u32 = 4096;

@final
export class Mesh {
  table: MeshTable;
  /** Being filled; null where the table in use is kept up to date. */
  private next: MeshTable | null = null;
  /** Of no more use, and not given back yet. */
  private readonly retired: Array<MeshTable> = new Array<MeshTable>();
  /** Every view that was asked for. */
  readonly views: Array<u64> = new Array<u64>();
  /** Whether the table is complete by what the stream says. */
  private synced: bool = false;
  /** The policy has changed since the table was: it may hold what it must not tell. */
  private distrusted: bool = false;
  /** Whether the last update has made views known. */
  completed: bool = false;
  private readonly reader: ProtoReader = new ProtoReader();
  private readonly inner: ProtoReader = new ProtoReader();
  private readonly list: ProtoReader = new ProtoReader();

  constructor(private readonly limit: usize) {
    this.table = new MeshTable(limit);
  }

  /** The view, or null while it is not known. */
  view(id: u64): View | null {
    const views = this.table.views;
    return !this.distrusted && views.has(id) ? views.get(id) : null;
  }

  /** Asks for a view; whether that has to be told. */
  want(id: u64): bool {
    for (let i = 0; i < this.views.length; i++) if (unchecked(this.views[i]) == id) return false;
    if (this.views.length >= MAX_VIEWS) return false;
    this.views.push(id);
    return true;
  }

  /** A stream to the policy service begins: what it tells will replace what is known. */
  begin(): void {
    this.synced = false;
    this.dropNext();
  }

  /** There is a new revision. What a stream in sync has told is of it already. */
  revised(): void {
    if (!this.synced && this.views.length > 0) this.distrusted = true;
  }

  /** Takes over a MeshUpdate; false where it is none. */
  update(at: usize, length: u32): bool {
    this.completed = false;
    this.giveBack();
    const reader = this.reader.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          if (reader.number() != 0) {
            this.dropNext();
            this.next = new MeshTable(this.limit);
          }
          break;
        case 2:
          reader.bytes();
          if (isName(reader.bytesAt, reader.bytesLength)) this.told.addZone(reader.bytesAt, reader.bytesLength);
          break;
        case 3:
          reader.bytes();
          if (!reader.failed && !this.readName(reader.bytesAt, reader.bytesLength)) return false;
          break;
        case 4:
          reader.bytes();
          if (!reader.failed && !this.readView(reader.bytesAt, reader.bytesLength)) return false;
          this.completed = true;
          break;
        case 5:
          if (reader.number() != 0) this.complete();
          break;
        default:
          reader.skip();
      }
    }
    return !reader.failed;
  }

  /** Some of what is of no more use: with each update, and now and then. */
  giveBack(): void {
    if (this.retired.length > 0 && !this.retired[0].giveBack(GIVEN_BACK)) this.retired.shift();
  }

  /** The table that updates are about. */
  private get told(): MeshTable {
    const next = this.next;
    return next !== null ? next : this.table;
  }

  private complete(): void {
    const next = this.next;
    if (next !== null) {
      this.retired.push(this.table);
      this.table = next;
      this.next = null;
    }
    this.synced = true;
    this.distrusted = false;
    this.completed = true;
  }

  private dropNext(): void {
    const next = this.next;
    if (next !== null) this.retired.push(next);
    this.next = null;
  }

  private readName(at: usize, length: u32): bool {
    let name: usize = 0;
    let nameLength: u32 = 0;
    let group: u64 = 0;
    let wildcard = false;
    let gone = false;
    let ttl: u64 = 0;
    let near: u64 = 0;
    let records: usize = 0;
    let recordsLength: u32 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          reader.bytes();
          name = reader.bytesAt;
          nameLength = reader.bytesLength;
          break;
        case 2:
          group = reader.number();
          break;
        case 3:
          wildcard = reader.number() != 0;
          break;
        case 4:
          gone = reader.number() != 0;
          break;
        case 5:
          ttl = reader.number();
          break;
        case 6:
          reader.bytes();
          records = reader.bytesAt;
          recordsLength = reader.bytesLength;
          break;
        case 7:
          near = reader.number();
          break;
        default:
          reader.skip();
      }
    }
    const sound = isName(name, nameLength) && group <= <u64>MAX_GROUPS && areRecords(records, recordsLength);
    if (reader.failed || !sound) return false;
    const table = this.told;
    if (gone) table.remove(name, nameLength, <u32>group, wildcard);
    else table.put(name, nameLength, <u32>group, wildcard, <u32>ttl, records, recordsLength, <u32>near);
    return true;
  }

  private readView(at: usize, length: u32): bool {
    let id: u64 = 0;
    let groups: usize = 0;
    let groupsLength: u32 = 0;
    const view = new View();
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      switch (reader.field) {
        case 1:
          id = reader.fixed64();
          break;
        case 2:
          reader.bytes();
          groups = reader.bytesAt;
          groupsLength = reader.bytesLength;
          break;
        case 3:
          reader.bytes();
          if (!isName(reader.bytesAt, reader.bytesLength)) return false;
          view.addSearchDomain(reader.bytesAt, reader.bytesLength);
          break;
        default:
          reader.skip();
      }
    }
    if (reader.failed || id == 0 || !this.readGroups(view, groups, groupsLength)) return false;
    this.told.views.set(id, view);
    return true;
  }

  /** Packed varints, in order of preference. */
  private readGroups(view: View, at: usize, length: u32): bool {
    let highest: u64 = 0;
    const list = this.list.begin(at, length);
    while (!list.failed && !list.atEnd) highest = max(highest, list.varint());
    if (list.failed || highest > <u64>MAX_GROUPS) return false;
    if (length == 0) return true;
    const ranks = new StaticArray<u32>(<i32>highest + 1);
    let rank: u32 = 0;
    list.begin(at, length);
    while (!list.failed && !list.atEnd) {
      const group = <i32>list.varint();
      if (unchecked(ranks[group]) == 0) unchecked((ranks[group] = ++rank));
    }
    view.ranks = ranks;
    return true;
  }
}

/** Whether the records are whole: type and length, 16 bits each, and so many octets. */
function areRecords(records: usize, length: u32): bool {
  let at: u32 = 0;
  while (at < length) {
    if (length - at < 4) return false;
    const size = <u32>bswap<u16>(load<u16>(records + at + 2));
    if (size > length - at - 4) return false;
    at += 4 + size;
  }
  return true;
}
