// The message that a client gets: made from a kept answer, from a denial, or from nothing but an error. One buffer is
// used for all of them, since an answer leaves before the next one is made.

import { Transport } from "../transport/transport";
import { Action, edeTextAt, Form, RECORD_HEAD, recordsAt, Verdict } from "../verdict/verdict";
import { copyLower } from "../wire/name";
import { Question } from "../wire/question";
import {
  CLASS_IN,
  Ede,
  Flag,
  HEADER_SIZE,
  MAX_MESSAGE,
  Option,
  Rcode,
  read32,
  Type,
  write16,
  write32,
} from "../wire/types";
import { Writer } from "../wire/writer";
import { Answer, ageOf, bodyAt, edeAt, ttlPlacesAt } from "./answer";
import { writeSoaData } from "./soa";

/** RFC 8467, section 4.1. */
const RESPONSE_BLOCK: u32 = 468;
const OPTION_HEAD: u32 = 4;
/** DNSSEC OK, among the flags of EDNS (RFC 3225, section 3). */
export const DO_BIT: u32 = 0x8000;
/** Seconds that a stale answer is good for (RFC 8767, section 4). */
const STALE_TTL: u32 = 30;
/** Most seconds that clients keep an answer that was stripped, so that a policy that is lifted is felt to be. */
const STRIPPED_TTL: u32 = 30;
/** Seconds of the HINFO that answers ANY (RFC 8482, section 4.2). */
const ANY_TTL: u32 = 3600;
/** Header flags of the client that come back. */
const ECHOED: u32 = Flag.RD | Flag.CD | Flag.OPCODE;

const owner: usize = memory.data(256);

/** What EXTRA-TEXT says, as octets. */
export class Reason {
  readonly text: ArrayBuffer;

  constructor(
    readonly code: i32,
    text: string,
  ) {
    this.text = String.UTF8.encode(text);
  }
}

const UPSTREAM_FAILED = new Reason(Ede.NetworkError, "the upstream server failed");

@final
export class AnswerWriter {
  private readonly writer: Writer = new Writer();
  /** Least TTL of the answer in seconds; 0 where it must not be kept. */
  ttl: u32 = 0;
  rcode: u32 = 0;
  /** INFO-CODE, or -1. */
  ede: i32 = Ede.None;
  private edeAt: usize = 0;
  private edeLength: u32 = 0;
  private question: Question = new Question();
  private transport: Transport = Transport.Udp;

  constructor(
    private readonly maxUdpSize: u32,
    /** Idle time that clients are told, in milliseconds. */
    private readonly idleMilliseconds: u32,
  ) {}

  get at(): usize {
    return this.writer.at;
  }

  get length(): u32 {
    return this.writer.length;
  }

  private begin(question: Question, transport: Transport, rcode: u32, flags: u32): void {
    this.question = question;
    this.transport = transport;
    this.rcode = rcode;
    this.ttl = 0;
    this.ede = Ede.None;
    const writer = this.writer;
    writer.clear();
    writer.u16(question.id);
    writer.u16(Flag.QR | (question.flags & ECHOED) | flags | (rcode & 15));
    writer.u16(question.hasQuestion ? 1 : 0);
    writer.zeros(6);
    if (question.hasQuestion) {
      writer.plainName(question.name, question.key.length);
      writer.u16(question.type);
      writer.u16(question.class);
    }
  }

  private setCounts(answers: u32, authorities: u32): void {
    write16(this.writer.at + 6, answers);
    write16(this.writer.at + 8, authorities);
  }

  private setEde(code: i32, text: usize, length: u32): void {
    this.ede = code;
    this.edeAt = text;
    this.edeLength = length;
  }

  // ---- kinds of answers --------------------------------------------------------------------------------------------

  /** An answer of an upstream; `stale` says that its TTL is over, the verdicts may have bounds for TTLs. */
  answer(
    question: Question,
    transport: Transport,
    answer: Answer,
    now: u64,
    stale: bool,
    verdict: Verdict | null,
    rewritten: Verdict | null,
  ): void {
    // RFC 6840, section 5.8: AD is for who asks for it, by AD or DO.
    const wantsAd = question.dnssec || (question.flags & Flag.AD) != 0;
    const flags = (answer.flags & Flag.AA) | (wantsAd ? answer.flags & Flag.AD : 0);
    this.begin(question, transport, answer.rcode, Flag.RA | flags);
    this.setCounts(answer.answerCount, answer.authorityCount);
    const body = this.writer.at + this.writer.length;
    this.writer.octets(bodyAt(answer), answer.bodyLength);
    if (!this.writer.overflowed) {
      const age = ageOf(answer, now);
      const places = ttlPlacesAt(answer);
      for (let i: u32 = 0; i < <u32>answer.ttlCount; i++) {
        const at = body + bswap<u16>(load<u16>(places + (i << 1)));
        const ttl = read32(at);
        write32(at, stale ? STALE_TTL : ttl > age ? ttl - age : 0);
      }
      this.ttl = stale ? STALE_TTL : answer.ttl > age ? answer.ttl - age : 0;
      if (!stale) {
        this.clampTtls(answer, body, verdict);
        this.clampTtls(answer, body, rewritten);
      }
      if (answer.rcode != Rcode.NOERROR && answer.rcode != Rcode.NXDOMAIN) this.ttl = 0;
    }
    if (stale) this.setEde(answer.rcode == Rcode.NXDOMAIN ? Ede.StaleNxdomain : Ede.StaleAnswer, 0, 0);
    else if (answer.edeLength >= 2) {
      const ede = edeAt(answer);
      this.setEde(bswap<u16>(load<u16>(ede)), ede + 2, answer.edeLength - 2);
    } else if (answer.rcode == Rcode.SERVFAIL) {
      this.setEde(UPSTREAM_FAILED.code, changetype<usize>(UPSTREAM_FAILED.text), UPSTREAM_FAILED.text.byteLength);
    }
    this.finish();
  }

  /** In place of an answer whose records of the type that was asked for are left out: the name has none of them. */
  stripped(question: Question, transport: Transport, answer: Answer, now: u64, explained: bool): void {
    this.begin(question, transport, Rcode.NOERROR, Flag.RA);
    const age = ageOf(answer, now);
    this.ttl = min(answer.ttl > age ? answer.ttl - age : 0, STRIPPED_TTL);
    const key = question.key;
    const labels = max(key.labels, 1) - 1;
    this.soa(key.suffixAt(labels), key.suffixLength(labels), this.ttl);
    this.setCounts(0, 1);
    if (explained) this.setEde(Ede.Filtered, 0, 0);
    this.finish();
  }

  private clampTtls(answer: Answer, body: usize, verdict: Verdict | null): void {
    if (verdict === null || (verdict.ttlMin | verdict.ttlMax) == 0) return;
    const places = ttlPlacesAt(answer);
    for (let i: u32 = 0; i < <u32>answer.ttlCount; i++) {
      const at = body + bswap<u16>(load<u16>(places + (i << 1)));
      write32(at, clamp(read32(at), verdict));
    }
    this.ttl = clamp(this.ttl, verdict);
  }

  /**
   * A denial or an answer by a rule, as the rule wants it to look: with an SOA, so that it may be kept (RFC 2308), unless it refuses.
   * The SOA's owner has `soaLabels` labels of the question's name.
   */
  denial(question: Question, transport: Transport, verdict: Verdict, soaLabels: u32): void {
    if (verdict.form == Form.Truncate && transport == Transport.Udp) {
      this.begin(question, transport, Rcode.NOERROR, Flag.RA | Flag.TC);
      this.setEde(verdict.edeCode, edeTextAt(verdict), verdict.edeLength);
      this.finish();
      return;
    }
    this.begin(question, transport, verdict.rcode, Flag.RA);
    const records = verdict.recordCount == 0 ? 0 : this.records(question, verdict);
    if (records != 0) {
      this.setCounts(records, 0);
      this.ttl = verdict.ttl;
    } else if (verdict.rcode == Rcode.NXDOMAIN || verdict.rcode == Rcode.NOERROR) {
      const key = question.key;
      const labels = min(soaLabels, key.labels);
      this.soa(key.suffixAt(labels), key.suffixLength(labels), verdict.ttl);
      this.setCounts(0, 1);
      this.ttl = verdict.ttl;
    }
    // An answer of ours is no denial, and needs no reason.
    if (verdict.action != Action.Answer) this.setEde(verdict.edeCode, edeTextAt(verdict), verdict.edeLength);
    this.finish();
  }

  /** What a rule wants to go wrong: an RCODE, or a truncated message; never kept. */
  fault(question: Question, transport: Transport, verdict: Verdict): void {
    const truncated = verdict.form == Form.Truncate;
    this.begin(question, transport, truncated ? Rcode.NOERROR : verdict.rcode, truncated ? Flag.RA | Flag.TC : Flag.RA);
    this.setEde(verdict.edeCode, edeTextAt(verdict), verdict.edeLength);
    this.finish();
  }

  /** Nothing is sent. */
  nothing(): void {
    this.writer.clear();
    this.rcode = Rcode.NONE;
    this.ttl = 0;
    this.ede = Ede.None;
  }

  /** Writes the verdict's records of the type that was asked; how many. */
  private records(question: Question, verdict: Verdict): u32 {
    const writer = this.writer;
    let at = recordsAt(verdict);
    let count: u32 = 0;
    for (let i: u32 = 0; i < verdict.recordCount; i++) {
      const type = <u32>load<u16>(at);
      const size = <u32>load<u16>(at, 2);
      if (type == question.type) {
        writer.name(question.key.at, question.key.length);
        writer.u16(type);
        writer.u16(CLASS_IN);
        writer.u32(verdict.ttl);
        writer.u16(size);
        writer.octets(at + RECORD_HEAD, size);
        count++;
      }
      at += RECORD_HEAD + size;
    }
    return count;
  }

  /** An answer that has nothing but an RCODE and a reason, and is never kept. */
  error(question: Question, transport: Transport, rcode: u32, reason: Reason | null): void {
    this.begin(question, transport, rcode, rcode == Rcode.NOTIMP || rcode == Rcode.FORMERR ? 0 : Flag.RA);
    if (reason !== null) this.setEde(reason.code, changetype<usize>(reason.text), reason.text.byteLength);
    this.finish();
  }

  /** The answer to ANY: one HINFO (RFC 8482, section 4.2). */
  any(question: Question, transport: Transport): void {
    this.begin(question, transport, Rcode.NOERROR, Flag.RA);
    const writer = this.writer;
    writer.name(question.key.at, question.key.length);
    writer.u16(Type.HINFO);
    writer.u16(CLASS_IN);
    writer.u32(ANY_TTL);
    writer.u16(9);
    // CPU "RFC8482", no OS.
    writer.octet(7);
    writer.octets(RFC8482, 7);
    writer.octet(0);
    this.setCounts(1, 0);
    this.ttl = ANY_TTL;
    this.finish();
  }

  private soa(name: usize, length: u32, ttl: u32): void {
    copyLower(owner, name, length);
    const writer = this.writer;
    writer.name(owner, length);
    writer.u16(Type.SOA);
    writer.u16(CLASS_IN);
    writer.u32(ttl);
    writeSoaData(writer, owner, length, ttl);
  }

  // ---- EDNS and size -----------------------------------------------------------------------------------------------

  /** Adds the OPT record; leaves out EXTRA-TEXT, then the records, where the client has no room for them. */
  private finish(): void {
    const hasEdns = this.question.hasEdns;
    const writer = this.writer;
    const limit = this.limit();
    const body = writer.length;
    if (hasEdns) this.opt(true);
    if (writer.length <= limit && !writer.overflowed) return;
    if (hasEdns && body <= limit) {
      writer.overflowed = false;
      writer.length = body;
      this.opt(false);
      if (writer.length <= limit && !writer.overflowed) return;
    }
    // An answer that is cut has no records: what is left of it could be taken for the whole (RFC 2181, section 9).
    writer.overflowed = false;
    writer.length = HEADER_SIZE + (this.question.hasQuestion ? this.question.key.length + 4 : 0);
    this.setCounts(0, 0);
    const flags = bswap<u16>(load<u16>(writer.at + 2));
    if (this.transport == Transport.Udp) {
      write16(writer.at + 2, flags | Flag.TC);
    } else {
      // With our own EDNS it is larger than a message can be.
      this.rcode = Rcode.SERVFAIL;
      write16(writer.at + 2, (flags & ~(<u32>Flag.RCODE)) | Rcode.SERVFAIL);
    }
    this.ttl = 0;
    if (hasEdns) this.opt(false);
  }

  private limit(): u32 {
    if (this.transport != Transport.Udp) return 65535;
    return this.question.hasEdns ? min(this.question.udpSize, this.maxUdpSize) : 512;
  }

  /** Appends OPT with EDE, keepalive and padding as they are due. */
  private opt(withText: bool): void {
    const question = this.question;
    const writer = this.writer;
    write16(writer.at + 10, 1);
    writer.octet(0);
    writer.u16(Type.OPT);
    writer.u16(this.maxUdpSize);
    writer.u32(((this.rcode >> 4) << 24) | (question.dnssec ? DO_BIT : 0));
    const lengthAt = writer.length;
    writer.u16(0);
    if (this.ede >= 0) {
      const textLength = withText ? this.edeLength : 0;
      writer.u16(Option.EDE);
      writer.u16(2 + textLength);
      writer.u16(this.ede);
      writer.octets(this.edeAt, textLength);
    }
    const stream = this.transport == Transport.Tcp || this.transport == Transport.DoT;
    if (question.hasKeepalive && stream) {
      // In units of 100 ms (RFC 7828, section 3.1).
      writer.u16(Option.KEEPALIVE);
      writer.u16(2);
      writer.u16(this.idleMilliseconds / 100);
    }
    if (question.hasPadding && this.transport >= Transport.DoT && writer.length + OPTION_HEAD <= MAX_MESSAGE) {
      const end = writer.length + OPTION_HEAD;
      // A message that has no whole block left is padded as far as one goes (RFC 8467, section 4.1).
      const size = min((RESPONSE_BLOCK - (end % RESPONSE_BLOCK)) % RESPONSE_BLOCK, MAX_MESSAGE - end);
      writer.u16(Option.PADDING);
      writer.u16(size);
      writer.zeros(size);
    }
    if (!writer.overflowed) write16(writer.at + lengthAt, writer.length - lengthAt - 2);
  }
}

const RFC8482_TEXT = String.UTF8.encode("RFC8482");
const RFC8482: usize = changetype<usize>(RFC8482_TEXT);

function clamp(ttl: u32, verdict: Verdict): u32 {
  const most = verdict.ttlMax;
  return max(most == 0 ? ttl : min(ttl, most), verdict.ttlMin);
}
