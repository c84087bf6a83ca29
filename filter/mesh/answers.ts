// Answers out of the name table, as blocks of the same kind as those of an upstream, so that the names that they point to
// are judged in the same place. A tenant's names are its view's alone; a name that it may not know and one that is not
// there take the same way through here, and get the same octets.

import { Answer, bodyAt, newAnswer, targetsAt, ttlPlacesAt } from "../answer/answer";
import { writeSoaData } from "../answer/soa";
import { random16 } from "../host/host";
import { isName, NameKey } from "../wire/name";
import { Question } from "../wire/question";
import { CLASS_IN, Flag, HEADER_SIZE, Rcode, read16, Type, write16 } from "../wire/types";
import { Writer } from "../wire/writer";
import { Entry, MeshTable, recordsAt, View } from "./table";

export const enum Found {
  /** No name of the mesh: it goes where it always goes. */
  Nothing,
  /** `answer` is set. */
  Answer,
  /** The name is an alias of `alias`, which is not of the mesh. */
  Alias,
  /** The table is not whole, and what is not in it may be there. */
  Unknown,
}

/** Aliases that follow each other. */
const MAX_CHAIN: u32 = 8;
/** Names that an answer may point to: each is judged. */
const MAX_TARGETS: u32 = 64;
const MAX_TARGETS_LENGTH: u32 = MAX_TARGETS * 255;
const MAX_TTL_PLACES: u32 = 2048;
/** Seconds for which clients may remember that a name is not there, and what a search came to. */
const NEGATIVE_TTL: u32 = 5;
const SEARCH_TTL: u32 = 30;
const RECORD_HEAD: u32 = 4;

const ttlPlaces: usize = heap.alloc(MAX_TTL_PLACES * 2);
const targets: usize = heap.alloc(MAX_TARGETS_LENGTH);
const joined: usize = memory.data(256);

@final
export class MeshAnswers {
  /** Of the last `find`, with a reference: the caller's. */
  answer: Answer | null = null;
  readonly alias: NameKey = new NameKey();
  aliasTtl: u32 = 0;
  /** Whether `alias`, or the name that answered, is what a client's search list leads to. */
  searched: bool = false;
  /** So many names of its list the client need not ask for any more. */
  spared: u32 = 0;
  private readonly writer: Writer = new Writer();
  private readonly at: NameKey = new NameKey();
  private written: u32 = 0;
  private ttl: u32 = 0;
  private ttlCount: u32 = 0;
  private answers: u32 = 0;
  private targetCount: u32 = 0;
  private targetsLength: u32 = 0;
  private chain: u32 = 0;

  /** `name` is the question's, or what that is rewritten to; answers are under the question's. */
  find(table: MeshTable, view: View, question: Question, name: NameKey, now: u64): Found {
    this.answer = null;
    this.searched = false;
    this.spared = 0;
    const entry = table.find(view, name);
    if (entry !== null) {
      this.begin(question);
      return this.answerBy(table, view, question, question.key, entry, now);
    }
    if (table.full) return Found.Unknown;
    const zone = table.zoneOf(name);
    if (zone < 0) return Found.Nothing;
    if (name === question.key && (question.type == Type.A || question.type == Type.AAAA)) {
      const found = this.search(table, view, question, now);
      if (found != Found.Nothing) return found;
    }
    this.missing(question, table, now);
    return Found.Answer;
  }

  /** The answer of a name that is not there. */
  missing(question: Question, table: MeshTable, now: u64): void {
    this.begin(question);
    this.negative(question.key, table, Rcode.NXDOMAIN, now);
  }

  // ---- search lists ------------------------------------------------------------------------------------------------

  /**
   * A name with the first domain of the client's search list behind it: the client will ask for it with the others, and
   * without any, until there is an answer. It gets the first of them at once.
   */
  private search(table: MeshTable, view: View, question: Question, now: u64): Found {
    const domains = view.searchDomains;
    const key = question.key;
    if (domains.length == 0) return Found.Nothing;
    const first = unchecked(domains[0]);
    if (key.labels <= first.labels || !first.covers(key)) return Found.Nothing;
    const baseLength = key.length - first.length;
    for (let i = 1; i <= domains.length; i++) {
      // In the end, without a domain.
      const last = i == domains.length;
      const length = baseLength + (last ? 1 : unchecked(domains[i]).length);
      if (length > 255) continue;
      memory.copy(joined, key.at, baseLength);
      if (last) store<u8>(joined + baseLength, 0);
      else memory.copy(joined + baseLength, unchecked(domains[i]).at, length - baseLength);
      const target = this.alias;
      target.set(joined, length);
      const entry = table.find(view, target);
      if (entry !== null) {
        this.searched = true;
        this.spared = i;
        this.begin(question);
        this.writeAlias(key, target.at, target.length, min(entry.ttl, SEARCH_TTL));
        this.at.copy(target);
        const found = this.answerBy(table, view, question, this.at, entry, now);
        // Where it leads out of the mesh: the client goes on by itself, and asks for it directly.
        return found == Found.Answer ? found : Found.Nothing;
      }
      // A name of one label is nobody's outside, and the client asks for it itself if it must.
      if (last && target.labels > 1 && table.zoneOf(target) < 0) {
        this.searched = true;
        this.spared = i;
        this.aliasTtl = SEARCH_TTL;
        return Found.Alias;
      }
    }
    return Found.Nothing;
  }

  // ---- answers -----------------------------------------------------------------------------------------------------

  /** What the entry, which has this name, makes of the question. */
  private answerBy(table: MeshTable, view: View, question: Question, name: NameKey, entry: Entry, now: u64): Found {
    const type = question.type;
    const count = countOf(entry, type);
    if (count != 0) {
      this.writeRecords(name, entry, type, count);
      this.finish(Rcode.NOERROR, 0, now);
      return Found.Answer;
    }
    const target = aliasOf(entry);
    if (target == 0 || type == Type.CNAME) {
      this.negative(name, table, Rcode.NOERROR, now);
      return Found.Answer;
    }
    const length = <u32>read16(target - 2);
    const alias = this.alias;
    alias.set(target, length);
    const next = table.find(view, alias);
    if (next === null && table.zoneOf(alias) < 0) {
      // The one alias that is put before an upstream's answer is the client's own name.
      if (this.chain != 0 || table.full) return Found.Unknown;
      this.aliasTtl = entry.ttl;
      return Found.Alias;
    }
    this.writeAlias(name, target, length, entry.ttl);
    if (next === null) {
      this.negative(alias, table, Rcode.NXDOMAIN, now);
      return Found.Answer;
    }
    if (this.chain > MAX_CHAIN) return Found.Unknown;
    this.at.copy(alias);
    return this.answerBy(table, view, question, this.at, next, now);
  }

  private begin(question: Question): void {
    const writer = this.writer;
    writer.clear();
    writer.zeros(HEADER_SIZE);
    writer.plainName(question.key.at, question.key.length);
    writer.zeros(4);
    this.written = writer.length;
    this.ttl = <u32>-1;
    this.ttlCount = 0;
    this.answers = 0;
    this.targetCount = 0;
    this.targetsLength = 0;
    this.chain = 0;
  }

  /** The nearest first. */
  private writeRecords(name: NameKey, entry: Entry, type: u32, count: u32): void {
    const near: u32 = entry.near == 0 ? 0 : countOf(entry, type, entry.near);
    const most: u32 = type == Type.SRV ? MAX_TARGETS : MAX_TTL_PLACES - this.ttlCount;
    if (near != 0) this.writeSome(name, entry, type, 0, near, most);
    if (near < count) this.writeSome(name, entry, type, near, count - near, most - min(most, near));
  }

  /**
   * `count` of the records of the type, from one on. Each answer begins with another one of them, so that clients that take
   * the first are spread.
   */
  private writeSome(name: NameKey, entry: Entry, type: u32, from: u32, count: u32, most: u32): void {
    const first: u32 = count == 1 ? 0 : (<u32>random16() * count) >> 16;
    const some = min(count, most);
    // Those from `first` on, and then those before it.
    for (let turn = 0; turn < 2; turn++) {
      let place: u32 = 0;
      let at = recordsAt(entry);
      const end = at + entry.recordsLength;
      while (at < end) {
        const size = read16(at + 2);
        if (read16(at) == type) {
          // Those before `from` come round to a number that is none.
          const number = place++ - from;
          if (number < count) {
            const later = number >= first;
            const order = later ? number - first : number + count - first;
            if (later == (turn == 0) && order < some) this.writeRecord(name, type, entry.ttl, at + RECORD_HEAD, size);
          }
        }
        at += RECORD_HEAD + size;
      }
    }
  }

  private writeRecord(name: NameKey, type: u32, ttl: u32, data: usize, size: u32): void {
    const writer = this.writer;
    this.writeHead(name.at, name.length, type, ttl);
    const lengthAt = writer.length;
    writer.u16(0);
    // RFC 3597, section 4: of these, PTR alone may be compressed.
    if (type == Type.PTR && isName(data, size)) writer.name(data, size);
    else writer.octets(data, size);
    if (!writer.overflowed) write16(writer.at + lengthAt, writer.length - lengthAt - 2);
    if (type == Type.SRV && size > 7) this.addTarget(data + 6, size - 6);
    this.answers++;
  }

  private writeAlias(name: NameKey, target: usize, length: u32, ttl: u32): void {
    const writer = this.writer;
    this.writeHead(name.at, name.length, Type.CNAME, ttl);
    const lengthAt = writer.length;
    writer.u16(0);
    writer.name(target, length);
    if (!writer.overflowed) write16(writer.at + lengthAt, writer.length - lengthAt - 2);
    this.addTarget(target, length);
    this.answers++;
    this.chain++;
  }

  /** What stands before a record's length and data. */
  private writeHead(owner: usize, length: u32, type: u32, ttl: u32): void {
    const writer = this.writer;
    writer.name(owner, length);
    writer.u16(type);
    writer.u16(CLASS_IN);
    write16(ttlPlaces + (this.ttlCount++ << 1), writer.length - this.written);
    this.ttl = min(this.ttl, ttl);
    writer.u32(ttl);
  }

  /** One that does not fit is not there: then the answer is not, either (`finish`). */
  private addTarget(name: usize, length: u32): void {
    for (let at: u32 = 0; at < this.targetsLength; ) {
      let end = at;
      while (load<u8>(targets + end) != 0) end += <u32>load<u8>(targets + end) + 1;
      end++;
      if (end - at == length && memory.compare(targets + at, name, length) == 0) return;
      at = end;
    }
    if (!isName(name, length) || this.targetCount == MAX_TARGETS || this.targetsLength + length > MAX_TARGETS_LENGTH) {
      this.writer.overflowed = true;
      return;
    }
    memory.copy(targets + this.targetsLength, name, length);
    this.targetsLength += length;
    this.targetCount++;
  }

  /** NXDOMAIN or NODATA with the SOA of the zone that the name is in; of one that is in none, its own. */
  private negative(name: NameKey, table: MeshTable, rcode: u32, now: u64): void {
    const zone = table.zoneOf(name);
    const labels = zone < 0 ? name.labels : <u32>zone;
    const owner = name.suffixAt(labels);
    const length = name.suffixLength(labels);
    this.writeHead(owner, length, Type.SOA, NEGATIVE_TTL);
    writeSoaData(this.writer, owner, length, NEGATIVE_TTL);
    this.finish(rcode, 1, now);
  }

  private finish(rcode: u32, authorities: u32, now: u64): void {
    const writer = this.writer;
    // An answer that is too large for a message is none (RFC 2181, section 9).
    const failed = writer.overflowed;
    const bodyLength = failed ? 0 : writer.length - this.written;
    const ttlCount = failed ? 0 : this.ttlCount;
    const targetsLength = failed ? 0 : this.targetsLength;
    const answer = newAnswer(bodyLength, ttlCount, failed ? 0 : this.targetCount, targetsLength, 0);
    memory.copy(bodyAt(answer), writer.at + this.written, bodyLength);
    memory.copy(ttlPlacesAt(answer), ttlPlaces, (<usize>ttlCount) << 1);
    memory.copy(targetsAt(answer), targets, targetsLength);
    answer.answerCount = <u16>(failed ? 0 : this.answers);
    answer.authorityCount = <u16>(failed ? 0 : authorities);
    answer.rcode = failed ? Rcode.SERVFAIL : rcode;
    answer.flags = failed ? 0 : Flag.AA;
    answer.ttl = failed ? 0 : this.ttl;
    answer.storedAt = now;
    answer.expiresAt = now + <u64>answer.ttl * 1_000_000;
    answer.staleUntil = answer.expiresAt;
    this.answer = answer;
  }
}

/** Of the type, among the first so many records. */
function countOf(entry: Entry, type: u32, among: u32 = u32.MAX_VALUE): u32 {
  let at = recordsAt(entry);
  const end = at + entry.recordsLength;
  let count: u32 = 0;
  for (let place: u32 = 0; at < end && place < among; place++) {
    if (read16(at) == type) count++;
    at += RECORD_HEAD + read16(at + 2);
  }
  return count;
}

/** Where the name is that the entry is an alias of, behind its length; 0 where it is none. */
function aliasOf(entry: Entry): usize {
  let at = recordsAt(entry);
  const end = at + entry.recordsLength;
  while (at < end) {
    const size = read16(at + 2);
    if (read16(at) == Type.CNAME && isName(at + RECORD_HEAD, size)) return at + RECORD_HEAD;
    at += RECORD_HEAD + size;
  }
  return 0;
}
