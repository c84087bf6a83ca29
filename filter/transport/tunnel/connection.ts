// The UDP transport. Envoy's udp_proxy carries each UDP session as a request of one HTTP/2 connection, datagrams in
// capsules (RFC 9297); this is the server of that connection (RFC 9113), no more of it than the tunnel needs.

import { closeDownstream, setEffectiveContext } from "../../host/host";
import { commit, flush, reserve } from "../../host/outbox";
import { read32, write32 } from "../../wire/types";
import { Channel, Receiver } from "../channel";
import { Listener } from "../evidence";
import { parseAddress } from "./address";
import { HeaderReader } from "./hpack";
import { Session, Sessions } from "./sessions";

/** Limits of UDP sessions in this worker; times in microseconds. */
export class TunnelLimits {
  sessions: u32 = 0;
  perSource: u32 = 0;
  linger: u64 = 0;
}

const enum Frame {
  Data = 0,
  Headers = 1,
  ResetStream = 3,
  Settings = 4,
  Ping = 6,
  Goaway = 7,
  WindowUpdate = 8,
  Continuation = 9,
}

const enum FrameFlag {
  EndStream = 1,
  Ack = 1,
  EndHeaders = 4,
  Padded = 8,
  Priority = 32,
}

const enum ErrorCode {
  None = 0,
  Protocol = 1,
  RefusedStream = 7,
}

const FRAME_HEAD: u32 = 9;
/** SETTINGS_MAX_FRAME_SIZE, the default of RFC 9113, section 6.5.2. */
const MAX_FRAME: u32 = 16384;
const MAX_HEADER_BLOCK: u32 = 16384;
const MAX_WINDOW: u32 = 0x7fffffff;
const DEFAULT_WINDOW: i64 = 65535;
/** Received octets are granted again in portions of this size. */
const GRANT: u32 = 1 << 28;
/** "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n". */
const PREFACE: u32 = 24;
/** A capsule's type, its length in up to eight octets, and the context id of a datagram. */
const MAX_CAPSULE: u32 = 65535 + 17;
/** Longest datagram that is answered with: one DATA frame. */
const MAX_ANSWER: u32 = MAX_FRAME - 16;
/** Sessions that are ended in one tick. */
const MAX_ENDED: u32 = 8192;
/** With more than half of the sessions in use, idle ones linger this part of their time. */
const HURRY: u64 = 16;
/** `:status: 200`, indexed (RFC 7541, appendix A). */
const STATUS_200: u8 = 0x88;

const headers = new HeaderReader();

@final
export class TunnelConnection extends Channel {
  private readonly sessions: Sessions = new Sessions();
  private readonly input: usize = heap.alloc(FRAME_HEAD + MAX_FRAME);
  private inputLength: u32 = 0;
  private prefaceLeft: u32 = PREFACE;
  private readonly block: usize = heap.alloc(MAX_HEADER_BLOCK);
  private blockLength: u32 = 0;
  private blockStream: u32 = 0;
  private blockEnds: bool = false;
  private consumed: u32 = 0;
  /** What we may send: on the connection, and on a stream before its own credit. */
  private window: i64 = DEFAULT_WINDOW;
  private initialWindow: i64 = DEFAULT_WINDOW;
  private lastStream: u32 = 0;
  private now: u64 = 0;
  /** Answers that had no room in the peer's windows. */
  dropped: u64 = 0;

  constructor(
    context: u32,
    private readonly listener: Listener,
    private readonly receiver: Receiver,
    private readonly limits: TunnelLimits,
  ) {
    super(context);
  }

  /** Octets of the connection; they are only read during the call. False where the peer does not speak HTTP/2. */
  receive(bytes: usize, length: u32, now: u64): bool {
    this.now = now;
    let at = bytes;
    let left = length;
    if (this.prefaceLeft > 0) {
      const size = min(this.prefaceLeft, left);
      if (this.prefaceLeft == PREFACE) this.greet();
      this.prefaceLeft -= size;
      at += size;
      left -= size;
    }
    while (left > 0 && this.inputLength > 0) {
      const size = min(left, this.missing());
      memory.copy(this.input + this.inputLength, at, size);
      this.inputLength += size;
      at += size;
      left -= size;
      const missing = this.missing();
      if (missing > MAX_FRAME + FRAME_HEAD) return this.fail();
      if (missing > 0) continue;
      this.inputLength = 0;
      if (!this.frame(this.input)) return this.fail();
    }
    while (left >= FRAME_HEAD) {
      const size = FRAME_HEAD + frameLength(at);
      if (size > FRAME_HEAD + MAX_FRAME) return this.fail();
      if (size > left) break;
      if (!this.frame(at)) return this.fail();
      at += size;
      left -= size;
    }
    if (left > 0) {
      memory.copy(this.input, at, left);
      this.inputLength = left;
    }
    return true;
  }

  /** Octets that the frame in `input` needs to be whole, or to have its head. */
  private missing(): u32 {
    if (this.inputLength < FRAME_HEAD) return FRAME_HEAD - this.inputLength;
    return FRAME_HEAD + frameLength(this.input) - this.inputLength;
  }

  // ---- frames in ---------------------------------------------------------------------------------------------------

  /** A whole frame; false is a connection error. */
  private frame(head: usize): bool {
    const length = frameLength(head);
    const type = <i32>load<u8>(head + 3);
    const flags = <u32>load<u8>(head + 4);
    const stream = read32(head + 5) & MAX_WINDOW;
    const payload = head + FRAME_HEAD;
    // A header block is not interrupted (RFC 9113, section 6.10).
    if (this.blockStream != 0 && (type != Frame.Continuation || stream != this.blockStream)) return false;
    switch (type) {
      case Frame.Data:
        return this.onData(stream, flags, payload, length);
      case Frame.Headers:
        return this.onHeaders(stream, flags, payload, length);
      case Frame.Continuation:
        return this.blockStream != 0 && this.onBlock(flags, payload, length);
      case Frame.ResetStream: {
        if (stream == 0 || length != 4) return false;
        const session = this.sessions.find(stream);
        if (session !== null) this.sessions.remove(session);
        return true;
      }
      case Frame.Settings:
        return this.onSettings(stream, flags, payload, length);
      case Frame.Ping:
        if (stream != 0 || length != 8) return false;
        if (!(flags & FrameFlag.Ack)) {
          const out = this.begin(8, Frame.Ping, FrameFlag.Ack, 0);
          store<u64>(out, load<u64>(payload));
          commit(FRAME_HEAD + 8);
        }
        return true;
      case Frame.WindowUpdate:
        return this.onWindowUpdate(stream, payload, length);
      default:
        return true;
    }
  }

  private onHeaders(stream: u32, flags: u32, payload: usize, length: u32): bool {
    let at = payload;
    let left = length;
    let padding: u32 = 0;
    if ((stream & 1) == 0) return false;
    if (flags & FrameFlag.Padded) {
      if (left < 1) return false;
      padding = load<u8>(at);
      at += 1;
      left -= 1;
    }
    if (flags & FrameFlag.Priority) {
      if (left < 5) return false;
      at += 5;
      left -= 5;
    }
    if (padding > left) return false;
    this.blockStream = stream;
    this.blockLength = 0;
    this.blockEnds = (flags & FrameFlag.EndStream) != 0;
    return this.onBlock(flags, at, left - padding);
  }

  /** A piece of a header block, the last one with END_HEADERS. */
  private onBlock(flags: u32, at: usize, length: u32): bool {
    if (length > MAX_HEADER_BLOCK - this.blockLength) return false;
    const isLast = (flags & FrameFlag.EndHeaders) != 0;
    let block = at;
    let size = length;
    if (!isLast || this.blockLength > 0) {
      memory.copy(this.block + this.blockLength, at, length);
      this.blockLength += length;
      block = this.block;
      size = this.blockLength;
    }
    if (!isLast) return true;
    const stream = this.blockStream;
    this.blockStream = 0;
    this.blockLength = 0;
    // Every block is decoded, since it may change the decoder's state; trailers say nothing to us.
    if (!headers.read(block, size)) return false;
    if (stream <= this.lastStream) {
      const session = this.sessions.find(stream);
      if (session !== null && this.blockEnds) this.endSession(session);
      return true;
    }
    this.lastStream = stream;
    this.openSession(stream);
    return true;
  }

  private openSession(stream: u32): void {
    const session = this.sessions.take();
    if (headers.sourceLength == 0 || !parseAddress(headers.source, headers.sourceLength, session)) {
      this.sessions.discard(session);
      this.reset(stream, ErrorCode.Protocol);
      return;
    }
    if (this.sessions.count >= this.limits.sessions) {
      const oldest = this.sessions.idle.oldest !== null ? this.sessions.idle.oldest : this.sessions.busy.oldest;
      if (oldest !== null) this.endSession(oldest);
    }
    session.evidence = this.listener.evidence;
    this.sessions.add(session, stream, this.now);
    const excess = this.sessions.excess(session, this.limits.perSource);
    if (excess !== null) this.endSession(excess);
    // udp_proxy sends no datagram before it has seen this.
    const out = this.begin(1, Frame.Headers, FrameFlag.EndHeaders, stream);
    store<u8>(out, STATUS_200);
    commit(FRAME_HEAD + 1);
  }

  private onData(stream: u32, flags: u32, payload: usize, length: u32): bool {
    if (stream == 0) return false;
    let at = payload;
    let left = length;
    this.consumed += length;
    if (this.consumed >= GRANT) {
      this.grant(0, this.consumed);
      this.consumed = 0;
    }
    if (flags & FrameFlag.Padded) {
      if (left < 1 || <u32>load<u8>(at) > left - 1) return false;
      left -= 1 + <u32>load<u8>(at);
      at += 1;
    }
    const session = this.sessions.find(stream);
    if (session === null) return stream <= this.lastStream;
    session.consumed += length;
    if (session.consumed >= GRANT) {
      this.grant(stream, session.consumed);
      session.consumed = 0;
    }
    if (!this.capsules(session, at, left)) {
      this.reset(stream, ErrorCode.Protocol);
      this.sessions.remove(session);
      return true;
    }
    // The session may be gone by now, and its object another's.
    if (flags & FrameFlag.EndStream && session.stream == stream) {
      const ended = this.sessions.find(stream);
      if (ended !== null) this.endSession(ended);
    }
    return true;
  }

  /** Capsules of a session (RFC 9297, section 3.2), one of which may begin or end elsewhere. False where they are none. */
  private capsules(session: Session, bytes: usize, length: u32): bool {
    if (session.restLength == 0) {
      const used = this.readCapsules(session, bytes, length);
      if (used > length) return false;
      if (used < length && session.stream != 0) {
        session.rest = heap.alloc(MAX_CAPSULE);
        session.restLength = length - used;
        if (session.restLength > MAX_CAPSULE) return false;
        memory.copy(session.rest, bytes + used, session.restLength);
      }
      return true;
    }
    if (length > MAX_CAPSULE - session.restLength) return false;
    memory.copy(session.rest + session.restLength, bytes, length);
    session.restLength += length;
    const rest = session.rest;
    const total = session.restLength;
    // Reading may end the session; what it reads stays until it is done.
    session.rest = 0;
    session.restLength = 0;
    const used = this.readCapsules(session, rest, total);
    if (used < total) {
      memory.copy(rest, rest + used, total - used);
      session.rest = rest;
      session.restLength = total - used;
    } else {
      heap.free(rest);
    }
    return used <= total;
  }

  /** Hands on whole datagrams; the octets used, or more than `length` where there is something else than capsules. */
  private readCapsules(session: Session, bytes: usize, length: u32): u32 {
    const stream = session.stream;
    let at: u32 = 0;
    while (at < length) {
      const typeSize = varintSize(bytes + at);
      if (length - at < typeSize + 1) break;
      const lengthSize = varintSize(bytes + at + typeSize);
      const head = typeSize + lengthSize;
      if (length - at < head) break;
      const type = readVarint(bytes + at, typeSize);
      const size = readVarint(bytes + at + typeSize, lengthSize);
      if (size > MAX_CAPSULE - 16) return length + 1;
      if (size > length - at - head) break;
      // Type 0 is DATAGRAM, context id 0 a UDP payload (RFC 9298, section 5); others are ignored.
      const payload = bytes + at + head;
      at += head + <u32>size;
      if (type != 0 || size < 1 || load<u8>(payload) != 0) continue;
      this.sessions.asked(session, this.now);
      this.receiver.receive(this, stream, session, payload + 1, <u32>size - 1);
      if (session.stream != stream) return length;
    }
    return at;
  }

  private onSettings(stream: u32, flags: u32, payload: usize, length: u32): bool {
    if (stream != 0) return false;
    if (flags & FrameFlag.Ack) return length == 0;
    if (length % 6 != 0) return false;
    for (let at = payload; at < payload + length; at += 6) {
      // SETTINGS_INITIAL_WINDOW_SIZE
      if (bswap<u16>(load<u16>(at)) != 4) continue;
      const size = read32(at + 2);
      if (size > MAX_WINDOW) return false;
      this.initialWindow = size;
    }
    this.begin(0, Frame.Settings, FrameFlag.Ack, 0);
    commit(FRAME_HEAD);
    return true;
  }

  private onWindowUpdate(stream: u32, payload: usize, length: u32): bool {
    if (length != 4) return false;
    const size = read32(payload) & MAX_WINDOW;
    if (stream == 0) {
      this.window += size;
      return size != 0 && this.window <= <i64>MAX_WINDOW;
    }
    const session = this.sessions.find(stream);
    if (session !== null) session.credit += size;
    return true;
  }

  // ---- frames out --------------------------------------------------------------------------------------------------

  /** Room for a frame whose head is written; the payload's place. */
  private begin(length: u32, type: Frame, flags: u32, stream: u32): usize {
    const out = reserve(this.context, FRAME_HEAD + length);
    store<u8>(out, <u8>(length >> 16));
    store<u8>(out + 1, <u8>(length >> 8));
    store<u8>(out + 2, <u8>length);
    store<u8>(out + 3, <u8>type);
    store<u8>(out + 4, <u8>flags);
    write32(out + 5, stream);
    return out + FRAME_HEAD;
  }

  private greet(): void {
    // HEADER_TABLE_SIZE 0, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE.
    const out = this.begin(18, Frame.Settings, 0, 0);
    store<u16>(out, bswap<u16>(1));
    write32(out + 2, 0);
    store<u16>(out + 6, bswap<u16>(3));
    write32(out + 8, MAX_WINDOW);
    store<u16>(out + 12, bswap<u16>(4));
    write32(out + 14, MAX_WINDOW);
    commit(FRAME_HEAD + 18);
    this.grant(0, MAX_WINDOW - <u32>DEFAULT_WINDOW);
  }

  private grant(stream: u32, size: u32): void {
    const out = this.begin(4, Frame.WindowUpdate, 0, stream);
    write32(out, size);
    commit(FRAME_HEAD + 4);
  }

  private reset(stream: u32, code: ErrorCode): void {
    const out = this.begin(4, Frame.ResetStream, 0, stream);
    write32(out, code);
    commit(FRAME_HEAD + 4);
  }

  private fail(): bool {
    const out = this.begin(8, Frame.Goaway, 0, 0);
    write32(out, this.lastStream);
    write32(out + 4, ErrorCode.Protocol);
    commit(FRAME_HEAD + 8);
    return false;
  }

  send(ticket: u32, message: usize, length: u32, _minimumTtl: u32): void {
    const session = this.sessions.find(ticket);
    if (session === null) return;
    this.sessions.answered(session, this.now);
    // One DATAGRAM capsule: type, a length of two octets, context id.
    const size = 4 + length;
    if (length > MAX_ANSWER || <i64>size > this.window || <i64>size > this.initialWindow + session.credit) {
      this.dropped++;
      return;
    }
    this.window -= size;
    session.credit -= size;
    const out = this.begin(size, Frame.Data, 0, ticket);
    store<u8>(out, 0);
    store<u16>(out + 1, bswap<u16>(<u16>(0x4000 | (length + 1))));
    store<u8>(out + 3, 0);
    memory.copy(out + 4, message, length);
    commit(FRAME_HEAD + size);
  }

  drop(ticket: u32): void {
    const session = this.sessions.find(ticket);
    if (session !== null) this.sessions.answered(session, this.now);
  }

  /** END_STREAM alone would leave the stream with the peer for good: NO_ERROR ends it on both sides. */
  private endSession(session: Session): void {
    this.begin(0, Frame.Data, FrameFlag.EndStream, session.stream);
    commit(FRAME_HEAD);
    this.reset(session.stream, ErrorCode.None);
    this.sessions.remove(session);
  }

  // ---- time and ends -----------------------------------------------------------------------------------------------

  /** Ends sessions that have lingered, sooner the more there are. */
  tick(now: u64): void {
    this.now = now;
    const half = this.limits.sessions / 2;
    for (let ended: u32 = 0; ended < MAX_ENDED; ended++) {
      const isFull = this.sessions.count > half;
      const linger = isFull ? this.limits.linger / HURRY : this.limits.linger;
      const idle = this.sessions.idle.oldest;
      if (idle !== null && now - idle.activeAt >= linger) {
        this.endSession(idle);
        continue;
      }
      const busy = this.sessions.busy.oldest;
      if (idle !== null || busy === null || !isFull) break;
      this.endSession(busy);
    }
  }

  /** Closes the connection; the pool of udp_proxy opens another. */
  end(): void {
    this.open = false;
    flush();
    if (setEffectiveContext(this.context)) closeDownstream();
  }

  /** The connection is closed. */
  closed(): void {
    this.open = false;
    heap.free(this.input);
    heap.free(this.block);
  }
}

function frameLength(head: usize): u32 {
  return ((<u32>load<u8>(head)) << 16) | ((<u32>load<u8>(head + 1)) << 8) | load<u8>(head + 2);
}

/** Octets of a variable-length integer (RFC 9000, section 16). */
function varintSize(at: usize): u32 {
  return 1 << (load<u8>(at) >> 6);
}

function readVarint(at: usize, size: u32): u64 {
  let value = <u64>load<u8>(at) & 0x3f;
  for (let i: u32 = 1; i < size; i++) value = (value << 8) | load<u8>(at + i);
  return value;
}
