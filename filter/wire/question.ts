// What a client asks: the one question of a query and its EDNS wishes, read out of a message once.

import { MAX_NAME, NameKey, nameEnd, readName, skipName } from "./name";
import { Flag, HEADER_SIZE, Option, read16, read32, Type } from "./types";

export const enum Parse {
  /** A query with one question; every field is set. */
  Query,
  /** Not for a server, or too short to answer: it gets no answer at all. */
  Ignore,
  /** FORMERR. Only `id` and `flags` can be relied upon; with a readable question `hasQuestion` is set. */
  Malformed,
  /** An EDNS version other than 0: BADVERS (RFC 6891, section 6.1.3). */
  BadVersion,
  /** An opcode other than QUERY. */
  OtherOpcode,
}

/** Without EDNS a client takes this much over UDP (RFC 1035, section 4.2.1). */
export const PLAIN_UDP_SIZE: u32 = 512;

@final
export class Question {
  id: u32 = 0;
  /** Octets 2 and 3 of the header. */
  flags: u32 = 0;
  hasQuestion: bool = false;
  /** The name as the client wrote it, uncompressed, as long as `key`. */
  readonly name: usize = heap.alloc(MAX_NAME + 1);
  readonly key: NameKey = new NameKey();
  type: u32 = 0;
  class: u32 = 0;

  hasEdns: bool = false;
  udpSize: u32 = PLAIN_UDP_SIZE;
  /** DNSSEC OK (RFC 3225). */
  dnssec: bool = false;
  hasPadding: bool = false;
  hasKeepalive: bool = false;
  /** EDNS Client Subnet (RFC 7871) as the client sent it: option data, at most ECS_SIZE octets. */
  readonly ecs: usize = heap.alloc(ECS_SIZE);
  ecsLength: u32 = 0;
  /** The trace that the client says it is part of: a trace-id, a parent-id and flags (W3C Trace Context), as `traced` says. */
  readonly trace: usize = heap.alloc(TRACE_SIZE);
  traced: bool = false;

  get checkingDisabled(): bool {
    return (this.flags & Flag.CD) != 0;
  }

  parse(message: usize, length: u32): Parse {
    this.hasQuestion = false;
    this.hasEdns = false;
    this.udpSize = PLAIN_UDP_SIZE;
    this.dnssec = false;
    this.hasPadding = false;
    this.hasKeepalive = false;
    this.ecsLength = 0;
    this.traced = false;
    if (length < HEADER_SIZE) return Parse.Ignore;
    this.id = read16(message);
    this.flags = read16(message + 2);
    if (this.flags & Flag.QR) return Parse.Ignore;
    if (this.flags & Flag.OPCODE) return Parse.OtherOpcode;
    if (read16(message + 4) != 1) return Parse.Malformed;

    const size = readName(message, length, HEADER_SIZE, this.name);
    if (size == 0 || length - nameEnd < 4) return Parse.Malformed;
    const at = nameEnd;
    this.type = read16(message + at);
    this.class = read16(message + at + 2);
    this.key.set(this.name, size);
    this.hasQuestion = true;
    const records = read16(message + 6) + read16(message + 8);
    const additional = read16(message + 10);
    // A query carries no answer and no authority; IXFR does (RFC 1995), and is refused by type.
    if (records != 0 && this.type != Type.IXFR) return Parse.Malformed;
    if (records != 0 || (additional == 0 && at + 4 == length)) return Parse.Query;
    return this.parseAdditional(message, length, at + 4, additional);
  }

  private parseAdditional(message: usize, length: u32, start: u32, count: u32): Parse {
    let at = start;
    let result = Parse.Query;
    for (let i: u32 = 0; i < count; i++) {
      const owner = at;
      at = skipName(message, length, at);
      if (at == 0 || length - at < 10) return Parse.Malformed;
      const type = read16(message + at);
      const dataLength = read16(message + at + 8);
      if (dataLength > length - at - 10) return Parse.Malformed;
      if (type == Type.OPT) {
        // One OPT, owned by the root (RFC 6891, section 6.1.1).
        if (this.hasEdns || load<u8>(message + owner) != 0) return Parse.Malformed;
        this.hasEdns = true;
        this.udpSize = max(read16(message + at + 2), PLAIN_UDP_SIZE);
        const extended = read32(message + at + 4);
        this.dnssec = (extended & 0x8000) != 0;
        if (((extended >> 16) & 0xff) != 0) result = Parse.BadVersion;
        if (!this.parseOptions(message + at + 10, dataLength)) return Parse.Malformed;
      }
      at += 10 + dataLength;
    }
    // Octets after the last record.
    return at == length ? result : Parse.Malformed;
  }

  private parseOptions(data: usize, length: u32): bool {
    let at: u32 = 0;
    while (at < length) {
      if (length - at < 4) return false;
      const code = read16(data + at);
      const size = read16(data + at + 2);
      at += 4;
      if (size > length - at) return false;
      if (code == Option.PADDING) this.hasPadding = true;
      else if (code == Option.KEEPALIVE) this.hasKeepalive = true;
      else if (code == Option.ECS) {
        if (size < 4 || size > ECS_SIZE) return false;
        memory.copy(this.ecs, data + at, size);
        this.ecsLength = size;
      } else if (code == Option.TRACEPARENT) this.readTrace(data + at, size);
      at += size;
    }
    return true;
  }

  /** What is not as it should be is not there: tracing is no matter of the answer. */
  private readTrace(data: usize, size: u32): void {
    if ((size != TRACE_ID_ONLY && size != WITHOUT_FLAGS && size != WHOLE_TRACE) || load<u8>(data) != 0) return;
    const id = data + TRACE_HEAD;
    if ((load<u64>(id) | load<u64>(id, 8)) == 0) return;
    memory.fill(this.trace, 0, TRACE_SIZE);
    memory.copy(this.trace, id, size - TRACE_HEAD);
    this.traced = true;
  }
}

/** VERSION and RESERVED of the option TRACEPARENT (draft-edns-otel-trace-ids, "Wire Format"), and what follows: 16, 8, 1. */
export const TRACE_HEAD: u32 = 2;
export const TRACE_ID_SIZE: u32 = 16;
export const TRACE_SIZE: u32 = 25;
/** Lengths of the option: as the draft has it, and as older servers send it. */
const WHOLE_TRACE: u32 = TRACE_HEAD + TRACE_SIZE;
const WITHOUT_FLAGS: u32 = WHOLE_TRACE - 1;
const TRACE_ID_ONLY: u32 = TRACE_HEAD + TRACE_ID_SIZE;

/** FAMILY, prefix lengths and at most 16 octets of address (RFC 7871, section 6). */
const ECS_SIZE: u32 = 20;
