// An upstream's message, read with suspicion: only a response to the very question that was asked counts, and of it
// only what answers the question: the chain of aliases from the name, the records at its end, and the proof of a
// negative answer. All of it is written anew, so nothing that an upstream sends reaches a client as it came.

import { copyLower, labelsOf, nameEnd, readName } from "../wire/name";
import { cutText } from "../wire/text";
import { CLASS_IN, Flag, HEADER_SIZE, Option, Rcode, read16, read32, Type, write16 } from "../wire/types";
import { Writer } from "../wire/writer";
import { AliasChain } from "./alias-chain";
import { Answer, bodyAt, edeAt, NO_ZONE, newAnswer, targetsAt, ttlPlacesAt } from "./answer";
import { Asked, Instead } from "./asked";
import { MessageRecord } from "./message-record";

export const enum Reading {
  /** `answer` is set. */
  Answered,
  /** Not a response to this question; the true one may still come. */
  NotOurs,
  /** A response to the question that cannot be used. */
  Unusable,
}

/** Most records and targets that an answer may have. */
const MAX_RECORDS: u32 = 4096;
const MAX_TARGETS: u32 = 64;
const MAX_TARGETS_LENGTH: usize = 4096;
const MAX_TTL_PLACES: u32 = 4096;
/** EXTRA-TEXT is cut to keep an answer with it small. */
const MAX_EDE: u32 = 2 + 200;
/** Seconds for which a failure of the upstream is remembered (RFC 2308, section 7; RFC 9520). */
const FAILURE_TTL: u32 = 5;

const writer = new Writer();
const target: usize = memory.data(256);
const folded: usize = memory.data(256);
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
  private readonly record: MessageRecord = new MessageRecord();
  private readonly chain: AliasChain = new AliasChain();
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
    const size = readName(message, length, HEADER_SIZE, target);
    if (size == 0 || length - nameEnd < 4) return Reading.NotOurs;
    copyLower(folded, target, size);
    if (!asked.key.equals(folded, size)) return Reading.NotOurs;
    if (read16(message + nameEnd) != asked.type || read16(message + nameEnd + 2) != CLASS_IN) return Reading.NotOurs;
    // Over TCP and HTTP nothing is truncated.
    if (flags & Flag.TC) return Reading.Unusable;
    this.record.message = message;
    this.record.length = length;
    return this.readSections(nameEnd + 4, asked, flags, now);
  }

  private readSections(start: u32, asked: Asked, flags: u32, now: u64): Reading {
    const record = this.record;
    const answers = read16(record.message + 6);
    const authorities = read16(record.message + 8);
    const additionals = read16(record.message + 10);
    if (answers + authorities + additionals > MAX_RECORDS) return Reading.Unusable;
    const authorityAt = record.skip(start, answers);
    if (authorityAt == 0) return Reading.Unusable;
    const additionalAt = record.skip(authorityAt, authorities);
    if (additionalAt == 0 || !this.readAdditional(additionalAt, additionals)) return Reading.Unusable;
    const rcode = (flags & Flag.RCODE) | (this.extendedRcode << 4);
    if (rcode != Rcode.NOERROR && rcode != Rcode.NXDOMAIN) {
      return this.finishFailure(rcode, now);
    }
    this.begin(asked);
    const isFollowed = asked.type != Type.CNAME && asked.type != Type.ANY;
    if (isFollowed && !this.chain.follow(record, start, answers)) return Reading.Unusable;
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
  private zoneLabels: u8 = NO_ZONE;
  private broken: bool = false;

  private begin(asked: Asked): void {
    this.ttl = <u32>-1;
    this.ttlCount = 0;
    this.targetCount = 0;
    this.targetsLength = 0;
    this.soaTtl = 0;
    this.soaFound = false;
    this.zoneLabels = NO_ZONE;
    this.broken = false;
    writer.clear();
    writer.zeros(HEADER_SIZE);
    const question = asked.instead == Instead.Nothing ? asked.key : asked.owner;
    writer.plainName(question.at, question.length);
    writer.zeros(4);
    this.written = writer.length;
    if (asked.instead == Instead.Alias) this.writeAlias(asked);
    this.chain.begin(asked.key);
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

  // ---- answer section ----------------------------------------------------------------------------------------------

  /** Whether the end of the chain has records of the type that was asked. */
  private endsWith(type: u32, start: u32, count: u32): bool {
    const record = this.record;
    let at = start;
    for (let i: u32 = 0; i < count; i++) {
      at = record.read(at);
      if (at == 0) return false;
      if (record.type != type && type != Type.ANY) continue;
      if (this.chain.endsWith(record.folded, record.ownerLength)) return true;
    }
    return false;
  }

  private writeAnswers(start: u32, count: u32, asked: Asked): u32 {
    const record = this.record;
    let at = start;
    let written: u32 = 0;
    for (let i: u32 = 0; i < count && at != 0; i++) {
      at = record.read(at);
      if (at == 0) break;
      const signature = record.type == Type.RRSIG && asked.type != Type.RRSIG && asked.type != Type.ANY;
      const member = this.chain.has(record.folded, record.ownerLength);
      const alias = record.type == Type.CNAME || record.type == asked.type || asked.type == Type.ANY;
      const dname =
        (record.type == Type.DNAME || (signature && asked.dnssec)) &&
        this.chain.isBelow(record.folded, record.ownerLength);
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

  /** Puts the client's name in the place of the one that was asked for, which its owner may be. */
  private renameOwner(asked: Asked): void {
    const record = this.record;
    if (asked.key.equals(record.folded, record.ownerLength)) record.rename(asked.owner.at, asked.owner.length);
  }

  // ---- authority and additional ------------------------------------------------------------------------------------

  /** Writes the SOA of a negative answer and, for a client that validates, its proof. */
  private writeAuthority(start: u32, count: u32, positive: bool, asked: Asked): u32 {
    const record = this.record;
    let at = start;
    let written: u32 = 0;
    for (let i: u32 = 0; i < count; i++) {
      at = record.read(at);
      if (at == 0) {
        this.broken = true;
        return 0;
      }
      const proof = record.type == Type.NSEC || record.type == Type.NSEC3 || record.type == Type.RRSIG;
      if (!(record.type == Type.SOA && !positive) && !(asked.dnssec && proof)) continue;
      if (record.type == Type.SOA) {
        if (this.soaFound || !this.soaCovers() || record.dataLength < 22) continue;
        const minimum = read32(record.message + record.dataEnd - 4);
        // RFC 2308, section 5: who asks us keeps the answer no longer than we do.
        this.soaTtl = min(min(record.ttl, minimum), this.limits.maxNegative);
        record.ttl = this.soaTtl;
        this.soaFound = true;
        if (this.chain.count == 1) this.zoneLabels = <u8>labelsOf(record.folded);
        // Clients keep a negative answer by an SOA above their own name (RFC 2308, section 5): one of its parent.
        if (asked.instead == Instead.Rewritten && this.chain.count == 1) {
          const labels = max(asked.owner.labels, 1) - 1;
          record.rename(asked.owner.suffixAt(labels), asked.owner.suffixLength(labels));
        }
      }
      this.writeRecord();
      written++;
    }
    return written;
  }

  /** An SOA proves a name away only from the name or above it. */
  private soaCovers(): bool {
    const record = this.record;
    return this.chain.has(record.folded, record.ownerLength) || this.chain.isBelow(record.folded, record.ownerLength);
  }

  private readAdditional(start: u32, count: u32): bool {
    const record = this.record;
    this.extendedRcode = 0;
    this.edeLength = 0;
    let at = start;
    let seen = false;
    for (let i: u32 = 0; i < count; i++) {
      at = record.read(at);
      if (at == 0) return false;
      if (record.type != Type.OPT) continue;
      if (seen || record.ownerLength != 1) return false;
      seen = true;
      this.extendedRcode = <u32>load<u8>(record.message + record.dataAt - 6);
      let option = record.dataAt;
      const end = record.dataEnd;
      while (option < end) {
        if (end - option < 4) return false;
        const size = read16(record.message + option + 2);
        if (size > end - option - 4) return false;
        if (read16(record.message + option) == Option.EDE && size >= 2 && this.edeLength == 0) {
          this.edeAt = option + 4;
          this.edeLength = 2 + cutText(record.message + option + 6, size - 2, MAX_EDE - 2);
        }
        option += 4 + size;
      }
    }
    return true;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------

  private writeRecord(): void {
    const record = this.record;
    writer.name(record.owner, record.ownerLength);
    writer.u16(record.type);
    writer.u16(CLASS_IN);
    if (this.ttlCount < MAX_TTL_PLACES) {
      write16(ttlPlaces + (this.ttlCount++ << 1), writer.length - this.written);
    } else {
      this.broken = true;
    }
    this.ttl = min(this.ttl, record.ttl);
    writer.u32(min(record.ttl, this.limits.max));
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
    const record = this.record;
    const end = record.dataEnd;
    let at = record.dataAt;
    switch (record.type) {
      case Type.CNAME:
      case Type.DNAME:
        at = this.dataName(at, record.type == Type.CNAME, true);
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
        at = this.dataName(this.dataName(at, record.type == Type.MINFO, false), record.type == Type.MINFO, false);
        break;
      case Type.PX:
        at = this.dataName(this.dataName(this.dataOctets(at, 2), false, false), false, false);
        break;
      default:
        at = this.dataOctets(at, record.dataLength);
    }
    if (at != end) this.broken = true;
  }

  private dataOctets(at: u32, size: u32): u32 {
    const record = this.record;
    if (at == 0 || size > record.dataEnd - at) return 0;
    writer.octets(record.message + at, size);
    return at + size;
  }

  /** Writes `count` character-strings, each behind its length. */
  private dataStrings(start: u32, count: u32): u32 {
    const record = this.record;
    let at = start;
    for (let i: u32 = 0; i < count && at != 0; i++) {
      if (at >= record.dataEnd) return 0;
      at = this.dataOctets(at, <u32>load<u8>(record.message + at) + 1);
    }
    return at;
  }

  /** Writes the name at `at`; `judged` names are the answer's targets. */
  private dataName(at: u32, compress: bool, judged: bool): u32 {
    const record = this.record;
    if (at == 0) return 0;
    const end = record.dataEnd;
    const size = readName(record.message, end, at, target);
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
    memory.copy(edeAt(kept), this.record.message + this.edeAt, this.edeLength);
    kept.answerCount = <u16>answers;
    kept.authorityCount = <u16>authorities;
    kept.rcode = rcode;
    kept.flags = flags;
    kept.ttl = ttl;
    kept.zoneLabels = this.zoneLabels;
    kept.storedAt = now;
    kept.expiresAt = now + <u64>ttl * 1_000_000;
    kept.staleUntil = kept.expiresAt + <u64>this.limits.stale * 1_000_000;
    this.answer = kept;
  }
}
