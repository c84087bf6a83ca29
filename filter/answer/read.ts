// An upstream's message, read with suspicion: only a response to the very question that was asked counts, and of it
// only what answers the question: the chain of aliases from the name, the records at its end, and the proof of a
// negative answer. All of it is written anew, so nothing that an upstream sends reaches a client as it came.

import { copyLower, NameKey, nameEnd, readName, skipName } from "../wire/name";
import { cutText } from "../wire/text";
import { CLASS_IN, Flag, HEADER_SIZE, Option, Rcode, read16, read32, Type, write16 } from "../wire/types";
import { Writer } from "../wire/writer";
import { Answer, bodyAt, edeAt, newAnswer, targetsAt, ttlPlacesAt } from "./answer";

/** What is asked of an upstream. */
export class Asked {
  id: u32 = 0;
  readonly key: NameKey = new NameKey();
  type: u32 = 0;
  dnssec: bool = false;
  checkingDisabled: bool = false;
  instead: Instead = Instead.Nothing;
  /** The client's name, where another is asked for instead of it, and the TTL of the CNAME between them. */
  readonly owner: NameKey = new NameKey();
  aliasTtl: u32 = 0;

  /** But for the id. */
  copy(other: Asked): void {
    this.key.copy(other.key);
    this.type = other.type;
    this.dnssec = other.dnssec;
    this.checkingDisabled = other.checkingDisabled;
    this.instead = other.instead;
    if (other.instead != Instead.Nothing) this.owner.copy(other.owner);
    this.aliasTtl = other.aliasTtl;
  }
}

/** What is asked for instead of the client's name. */
export const enum Instead {
  Nothing,
  /** What the name has for an alias: the answer gives it as that. */
  Alias,
  /** What it is rewritten to: the answer is given under the client's name. */
  Rewritten,
}

export const enum Reading {
  /** `answer` is set. */
  Answered,
  /** Not a response to this question; the true one may still come. */
  NotOurs,
  /** A response to the question that cannot be used. */
  Unusable,
}

/** Longest chain of aliases, and most records and targets, that an answer may have. */
const MAX_CHAIN: i32 = 16;
/** The name that was asked, and one for each alias. */
const CHAIN_NAMES: i32 = MAX_CHAIN + 1;
const MAX_RECORDS: u32 = 4096;
const MAX_TARGETS: u32 = 64;
const MAX_TARGETS_LENGTH: usize = 4096;
const MAX_TTL_PLACES: u32 = 4096;
/** EXTRA-TEXT is cut to keep an answer with it small. */
const MAX_EDE: u32 = 2 + 200;
/** Seconds for which a failure of the upstream is remembered (RFC 2308, section 7; RFC 9520). */
const FAILURE_TTL: u32 = 5;

const writer = new Writer();
const owner: usize = memory.data(256);
const target: usize = memory.data(256);
const folded: usize = memory.data(256);
const chainNames: usize = heap.alloc(CHAIN_NAMES * 256);
const chainLengths = new StaticArray<u32>(CHAIN_NAMES);
const ttlPlaces: usize = heap.alloc(MAX_TTL_PLACES * 2);
const targets: usize = heap.alloc(MAX_TARGETS_LENGTH);

/** Limits on TTLs, in seconds. */
export class TtlLimits {
  max: u32 = 86400;
  maxNegative: u32 = 3600;
  stale: u32 = 0;
}

@final
export class ResponseReader {
  /** The last answer that was read; the caller owns its reference. */
  answer: Answer | null = null;
  private message: usize = 0;
  private length: u32 = 0;
  private chain: i32 = 0;
  private ttl: u32 = 0;
  private ttlCount: u32 = 0;
  private targetCount: u32 = 0;
  private targetsLength: u32 = 0;
  private written: u32 = 0;
  private edeAt: u32 = 0;
  private edeLength: u32 = 0;
  private extendedRcode: u32 = 0;

  constructor(private readonly limits: TtlLimits) {}

  /** Reads `message`; `now` is in monotonic microseconds. `checkId` is off where the transport matched it. */
  read(message: usize, length: u32, asked: Asked, checkId: bool, now: u64): Reading {
    this.answer = null;
    if (length < HEADER_SIZE) return Reading.NotOurs;
    const flags = read16(message + 2);
    if (!(flags & Flag.QR) || flags & Flag.OPCODE || (checkId && read16(message) != asked.id)) return Reading.NotOurs;
    // Servers answer FORMERR without the question; it is one to this id all the same.
    if (read16(message + 4) == 0 && length == HEADER_SIZE && (flags & Flag.RCODE) == Rcode.FORMERR)
      return Reading.Unusable;
    if (read16(message + 4) != 1) return Reading.NotOurs;
    const size = readName(message, length, HEADER_SIZE, owner);
    if (size == 0 || length - nameEnd < 4) return Reading.NotOurs;
    copyLower(folded, owner, size);
    if (!asked.key.equals(folded, size)) return Reading.NotOurs;
    if (read16(message + nameEnd) != asked.type || read16(message + nameEnd + 2) != CLASS_IN) return Reading.NotOurs;
    // Over TCP and HTTP nothing is truncated.
    if (flags & Flag.TC) return Reading.Unusable;
    this.message = message;
    this.length = length;
    return this.readSections(nameEnd + 4, asked, flags, now);
  }

  private readSections(start: u32, asked: Asked, flags: u32, now: u64): Reading {
    const answers = read16(this.message + 6);
    const authorities = read16(this.message + 8);
    const additionals = read16(this.message + 10);
    if (answers + authorities + additionals > MAX_RECORDS) return Reading.Unusable;
    const authorityAt = this.skipRecords(start, answers);
    if (authorityAt == 0) return Reading.Unusable;
    const additionalAt = this.skipRecords(authorityAt, authorities);
    if (additionalAt == 0 || !this.readAdditional(additionalAt, additionals)) return Reading.Unusable;
    const rcode = (flags & Flag.RCODE) | (this.extendedRcode << 4);
    if (rcode != Rcode.NOERROR && rcode != Rcode.NXDOMAIN) {
      return this.finishFailure(rcode, now);
    }
    this.begin(asked);
    if (!this.readChain(start, answers, asked)) return Reading.Unusable;
    const answerCount = this.writeAnswers(start, answers, asked);
    const positive = answerCount != 0 && rcode == Rcode.NOERROR && this.endsWith(asked.type, start, answers);
    const authorityCount = this.writeAuthority(authorityAt, authorities, positive, asked);
    if (writer.overflowed || this.broken) return Reading.Unusable;
    // RFC 2308, section 5: no SOA, no negative caching.
    if (!positive) this.ttl = this.soaFound ? min(this.ttl, this.soaTtl) : 0;
    // Nobody has signed the CNAME that we put in front, nor records under another name.
    const own: u32 = asked.instead == Instead.Alias ? 1 : 0;
    const authentic = asked.instead == Instead.Nothing ? flags & Flag.AD : 0;
    this.keep(answerCount + own, authorityCount, rcode, authentic, min(this.ttl, this.limits.max), now);
    return Reading.Answered;
  }

  private soaTtl: u32 = 0;
  private soaFound: bool = false;
  private broken: bool = false;

  private begin(asked: Asked): void {
    this.ttl = <u32>-1;
    this.ttlCount = 0;
    this.targetCount = 0;
    this.targetsLength = 0;
    this.soaTtl = 0;
    this.soaFound = false;
    this.broken = false;
    writer.clear();
    writer.zeros(HEADER_SIZE);
    const question = asked.instead == Instead.Nothing ? asked.key : asked.owner;
    writer.plainName(question.at, question.length);
    writer.zeros(4);
    this.written = writer.length;
    if (asked.instead == Instead.Alias) this.writeAlias(asked);
    this.chain = 1;
    memory.copy(chainNames, asked.key.at, asked.key.length);
    unchecked((chainLengths[0] = asked.key.length));
  }

  /** The CNAME from the client's name to the one that was asked for. */
  private writeAlias(asked: Asked): void {
    writer.name(asked.owner.at, asked.owner.length);
    writer.u16(Type.CNAME);
    writer.u16(CLASS_IN);
    write16(ttlPlaces + (this.ttlCount++ << 1), writer.length - this.written);
    this.ttl = asked.aliasTtl;
    writer.u32(asked.aliasTtl);
    const lengthAt = writer.length;
    writer.u16(0);
    writer.name(asked.key.at, asked.key.length);
    write16(writer.at + lengthAt, writer.length - lengthAt - 2);
    memory.copy(target, asked.key.at, asked.key.length);
    this.addTarget(asked.key.length);
  }

  // ---- the record under the cursor ---------------------------------------------------------------------------------

  private ownerLength: u32 = 0;
  private type: u32 = 0;
  private recordTtl: u32 = 0;
  private dataAt: u32 = 0;
  private dataLength: u32 = 0;

  /** Reads the record at `at`, its owner folded into `owner`; the offset after it, or 0 where it is malformed. */
  private record(at: u32): u32 {
    const size = readName(this.message, this.length, at, owner);
    if (size == 0 || this.length - nameEnd < 10) return 0;
    const head = this.message + nameEnd;
    this.ownerLength = size;
    this.type = read16(head);
    const ttl = read32(head + 4);
    // RFC 2181, section 8: a TTL with the top bit set is zero.
    this.recordTtl = ttl >> 31 != 0 ? 0 : ttl;
    this.dataAt = nameEnd + 10;
    this.dataLength = read16(head + 8);
    if (this.dataLength > this.length - this.dataAt) return 0;
    if (this.type != Type.OPT && read16(head + 2) != CLASS_IN) this.type = 0;
    return this.dataAt + this.dataLength;
  }

  private skipRecords(start: u32, count: u32): u32 {
    let at = start;
    for (let i: u32 = 0; i < count; i++) {
      at = skipName(this.message, this.length, at);
      if (at == 0 || this.length - at < 10) return 0;
      const size = read16(this.message + at + 8);
      if (size > this.length - at - 10) return 0;
      at += 10 + size;
    }
    return at;
  }

  // ---- answer section ----------------------------------------------------------------------------------------------

  /** Follows CNAME and DNAME from the name that was asked, in whatever order the records stand. */
  private readChain(start: u32, count: u32, asked: Asked): bool {
    if (asked.type == Type.CNAME || asked.type == Type.ANY) return true;
    let grown = true;
    while (grown) {
      grown = false;
      let at = start;
      for (let i: u32 = 0; i < count; i++) {
        at = this.record(at);
        if (at == 0) return false;
        if (this.type != Type.CNAME) continue;
        copyLower(folded, owner, this.ownerLength);
        if (!this.isLast(folded, this.ownerLength)) continue;
        const size = readName(this.message, this.dataAt + this.dataLength, this.dataAt, target);
        if (size == 0 || nameEnd != this.dataAt + this.dataLength) return false;
        if (this.chain == CHAIN_NAMES) return false;
        copyLower(folded, target, size);
        if (this.inChain(folded, size)) return false;
        memory.copy(chainNames + (this.chain << 8), folded, size);
        unchecked((chainLengths[this.chain++] = size));
        grown = true;
      }
    }
    return true;
  }

  private inChain(name: usize, size: u32): bool {
    for (let i = 0; i < this.chain; i++) {
      if (unchecked(chainLengths[i]) == size && memory.compare(chainNames + (i << 8), name, size) == 0) return true;
    }
    return false;
  }

  private isLast(name: usize, size: u32): bool {
    const i = this.chain - 1;
    return unchecked(chainLengths[i]) == size && memory.compare(chainNames + (i << 8), name, size) == 0;
  }

  /** Whether a name of the chain lies below `name` (a DNAME's owner, RFC 6672). */
  private aboveChain(name: usize, size: u32): bool {
    for (let i = 0; i < this.chain; i++) {
      const length = unchecked(chainLengths[i]);
      const at = chainNames + (i << 8);
      let offset: u32 = 0;
      while (length - offset > size) offset += <u32>load<u8>(at + offset) + 1;
      if (offset > 0 && length - offset == size && memory.compare(at + offset, name, size) == 0) return true;
    }
    return false;
  }

  /** Whether the end of the chain has records of the type that was asked. */
  private endsWith(type: u32, start: u32, count: u32): bool {
    let at = start;
    for (let i: u32 = 0; i < count; i++) {
      at = this.record(at);
      if (at == 0) return false;
      if (this.type != type && type != Type.ANY) continue;
      copyLower(folded, owner, this.ownerLength);
      if (this.isLast(folded, this.ownerLength)) return true;
    }
    return false;
  }

  private writeAnswers(start: u32, count: u32, asked: Asked): u32 {
    let at = start;
    let written: u32 = 0;
    for (let i: u32 = 0; i < count && at != 0; i++) {
      at = this.record(at);
      if (at == 0) break;
      copyLower(folded, owner, this.ownerLength);
      const signature = this.type == Type.RRSIG && asked.type != Type.RRSIG && asked.type != Type.ANY;
      const member = this.inChain(folded, this.ownerLength);
      const alias = this.type == Type.CNAME || this.type == asked.type || asked.type == Type.ANY;
      const dname =
        (this.type == Type.DNAME || (signature && asked.dnssec)) && this.aboveChain(folded, this.ownerLength);
      if (!(member && (alias || (signature && asked.dnssec))) && !dname) continue;
      if (asked.instead == Instead.Rewritten) {
        // It is not above the client's name.
        if (dname) continue;
        this.renameOwner(asked);
      }
      this.writeRecord();
      written++;
    }
    if (at == 0) this.broken = true;
    return written;
  }

  /** Puts the client's name in the place of the one that was asked for, which `folded` may be. */
  private renameOwner(asked: Asked): void {
    if (asked.key.equals(folded, this.ownerLength)) this.setOwner(asked.owner.at, asked.owner.length);
  }

  private setOwner(name: usize, length: u32): void {
    memory.copy(owner, name, length);
    this.ownerLength = length;
  }

  // ---- authority and additional ------------------------------------------------------------------------------------

  /** Writes the SOA of a negative answer and, for a client that validates, its proof. */
  private writeAuthority(start: u32, count: u32, positive: bool, asked: Asked): u32 {
    let at = start;
    let written: u32 = 0;
    for (let i: u32 = 0; i < count; i++) {
      at = this.record(at);
      if (at == 0) {
        this.broken = true;
        return 0;
      }
      const proof = this.type == Type.NSEC || this.type == Type.NSEC3 || this.type == Type.RRSIG;
      if (!(this.type == Type.SOA && !positive) && !(asked.dnssec && proof)) continue;
      copyLower(folded, owner, this.ownerLength);
      if (this.type == Type.SOA) {
        if (this.soaFound || !this.soaCovers(folded, this.ownerLength) || this.dataLength < 22) continue;
        const minimum = read32(this.message + this.dataAt + this.dataLength - 4);
        // RFC 2308, section 5: who asks us keeps the answer no longer than we do.
        this.soaTtl = min(min(this.recordTtl, minimum), this.limits.maxNegative);
        this.recordTtl = this.soaTtl;
        this.soaFound = true;
        // Clients keep a negative answer by an SOA above their own name (RFC 2308, section 5): one of its parent.
        if (asked.instead == Instead.Rewritten && this.chain == 1) {
          const labels = max(asked.owner.labels, 1) - 1;
          this.setOwner(asked.owner.suffixAt(labels), asked.owner.suffixLength(labels));
        }
      }
      this.writeRecord();
      written++;
    }
    return written;
  }

  /** An SOA proves a name away only from the name or above it. */
  private soaCovers(name: usize, size: u32): bool {
    return this.inChain(name, size) || this.aboveChain(name, size);
  }

  private readAdditional(start: u32, count: u32): bool {
    this.extendedRcode = 0;
    this.edeLength = 0;
    let at = start;
    let seen = false;
    for (let i: u32 = 0; i < count; i++) {
      at = this.record(at);
      if (at == 0) return false;
      if (this.type != Type.OPT) continue;
      if (seen || this.ownerLength != 1) return false;
      seen = true;
      this.extendedRcode = <u32>load<u8>(this.message + this.dataAt - 6);
      let option = this.dataAt;
      const end = this.dataAt + this.dataLength;
      while (option < end) {
        if (end - option < 4) return false;
        const size = read16(this.message + option + 2);
        if (size > end - option - 4) return false;
        if (read16(this.message + option) == Option.EDE && size >= 2 && this.edeLength == 0) {
          this.edeAt = option + 4;
          this.edeLength = 2 + cutText(this.message + option + 6, size - 2, MAX_EDE - 2);
        }
        option += 4 + size;
      }
    }
    return true;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------

  private writeRecord(): void {
    writer.name(owner, this.ownerLength);
    writer.u16(this.type);
    writer.u16(CLASS_IN);
    if (this.ttlCount < MAX_TTL_PLACES) {
      write16(ttlPlaces + (this.ttlCount++ << 1), writer.length - this.written);
    } else {
      this.broken = true;
    }
    this.ttl = min(this.ttl, this.recordTtl);
    writer.u32(min(this.recordTtl, this.limits.max));
    const lengthAt = writer.length;
    writer.u16(0);
    this.writeData();
    if (!writer.overflowed) write16(writer.at + lengthAt, writer.length - lengthAt - 2);
  }

  /**
   * Data of types that RFC 3597, section 4 lets be compressed is written anew, names in it uncompressed otherwise; data
   * of all other types is opaque.
   */
  private writeData(): void {
    const end = this.dataAt + this.dataLength;
    let at = this.dataAt;
    switch (this.type) {
      case Type.CNAME:
      case Type.DNAME:
        at = this.dataName(at, this.type == Type.CNAME, true);
        break;
      case Type.NS:
      case Type.PTR:
      case Type.MB:
      case Type.MG:
      case Type.MR:
      case Type.MD:
      case Type.MF:
        // Not a way to reach anything: whoever wants the address asks for it, and is judged then.
        at = this.dataName(at, true, false);
        break;
      case Type.MX:
        at = this.dataName(this.dataOctets(at, 2), true, true);
        break;
      case Type.RT:
      case Type.AFSDB:
      case Type.KX:
        at = this.dataName(this.dataOctets(at, 2), false, false);
        break;
      case Type.SRV:
        at = this.dataName(this.dataOctets(at, 6), false, true);
        break;
      case Type.SVCB:
      case Type.HTTPS:
        at = this.dataOctets(this.dataName(this.dataOctets(at, 2), false, true), end - min(end, nameEnd));
        break;
      case Type.NAPTR:
        // ORDER and PREFERENCE, then FLAGS, SERVICES and REGEXP (RFC 3403, section 4.1).
        at = this.dataName(this.dataStrings(this.dataOctets(at, 4), 3), false, false);
        break;
      case Type.SOA:
        at = this.dataOctets(this.dataName(this.dataName(at, true, false), true, false), 20);
        break;
      case Type.MINFO:
      case Type.RP:
        at = this.dataName(this.dataName(at, this.type == Type.MINFO, false), this.type == Type.MINFO, false);
        break;
      case Type.PX:
        at = this.dataName(this.dataName(this.dataOctets(at, 2), false, false), false, false);
        break;
      default:
        at = this.dataOctets(at, this.dataLength);
    }
    if (at != end) this.broken = true;
  }

  private dataOctets(at: u32, size: u32): u32 {
    if (at == 0 || size > this.dataAt + this.dataLength - at) return 0;
    writer.octets(this.message + at, size);
    return at + size;
  }

  /** Writes `count` character-strings, each behind its length. */
  private dataStrings(start: u32, count: u32): u32 {
    let at = start;
    for (let i: u32 = 0; i < count && at != 0; i++) {
      if (at >= this.dataAt + this.dataLength) return 0;
      at = this.dataOctets(at, <u32>load<u8>(this.message + at) + 1);
    }
    return at;
  }

  /** Writes the name at `at`; `judged` names are the answer's targets. */
  private dataName(at: u32, compress: bool, judged: bool): u32 {
    if (at == 0) return 0;
    const end = this.dataAt + this.dataLength;
    const size = readName(this.message, end, at, target);
    if (size == 0 || nameEnd > end) return 0;
    if (compress) writer.name(target, size);
    else writer.octets(target, size);
    // The root as a target says "no service" (SRV, MX) or "the owner itself" (SVCB).
    if (judged && size > 1) this.addTarget(size);
    return nameEnd;
  }

  private addTarget(size: u32): void {
    copyLower(folded, target, size);
    for (let at: u32 = 0; at < this.targetsLength; ) {
      let end = at;
      while (load<u8>(targets + end) != 0) end += <u32>load<u8>(targets + end) + 1;
      end++;
      if (end - at == size && memory.compare(targets + at, folded, size) == 0) return;
      at = end;
    }
    if (this.targetCount == MAX_TARGETS || this.targetsLength + size > <u32>MAX_TARGETS_LENGTH) {
      this.broken = true;
      return;
    }
    memory.copy(targets + this.targetsLength, folded, size);
    this.targetsLength += size;
    this.targetCount++;
  }

  private finishFailure(rcode: u32, now: u64): Reading {
    this.ttlCount = 0;
    this.targetCount = 0;
    this.targetsLength = 0;
    this.written = 0;
    writer.clear();
    // What is wrong between us and the upstream is no business of the client's.
    this.keep(0, 0, rcode == Rcode.REFUSED ? rcode : Rcode.SERVFAIL, 0, FAILURE_TTL, now);
    return Reading.Answered;
  }

  private keep(answers: u32, authorities: u32, rcode: u32, flags: u32, ttl: u32, now: u64): void {
    const bodyLength = writer.length - this.written;
    const kept = newAnswer(bodyLength, this.ttlCount, this.targetCount, this.targetsLength, this.edeLength);
    memory.copy(bodyAt(kept), writer.at + this.written, bodyLength);
    memory.copy(ttlPlacesAt(kept), ttlPlaces, (<usize>this.ttlCount) << 1);
    memory.copy(targetsAt(kept), targets, this.targetsLength);
    memory.copy(edeAt(kept), this.message + this.edeAt, this.edeLength);
    kept.answerCount = <u16>answers;
    kept.authorityCount = <u16>authorities;
    kept.rcode = rcode;
    kept.flags = flags;
    kept.ttl = ttl;
    kept.storedAt = now;
    kept.expiresAt = now + <u64>ttl * 1_000_000;
    kept.staleUntil = kept.expiresAt + <u64>this.limits.stale * 1_000_000;
    this.answer = kept;
  }
}
