// The UDP transport. Envoy's udp_proxy carries each UDP session as a request of one HTTP/2 connection, datagrams in
// capsules (RFC 9297); this is the server of that connection (RFC 9113), no more of it than the tunnel needs.

import { closeDownstream, setEffectiveContext } from "../../host/host";
import { commit, flush, reserve } from "../../host/outbox";
import { read16, read32 } from "../../wire/types";
import { Channel, Receiver } from "../channel";
import { Listener } from "../evidence";
import { parseAddress } from "./address";
import { tunnelCounters } from "./counters";
import { DatagramReader } from "./datagrams";
import {
  ErrorCode,
  FRAME_HEAD,
  FrameFlag,
  FrameType,
  frameLength,
  INITIAL_WINDOW,
  isPreface,
  MAX_FRAME,
  MAX_WINDOW,
  PREFACE_SIZE,
  Setting,
  sendEnd,
  sendGoAway,
  sendGreeting,
  sendOk,
  sendPingAck,
  sendReset,
  sendSettingsAck,
  sendWindowUpdate,
  writeFrameHead,
} from "./frames";
import { HeaderReader, MAX_BLOCK } from "./hpack";
import { Session, SessionQueue, Sessions } from "./sessions";

/** Limits of UDP sessions in this worker; times in microseconds. */
export class TunnelLimits {
  sessions: u32 = 0;
  perSource: u32 = 0;
  linger: u64 = 0;
}

const STREAM_MASK: u32 = 0x7fff_ffff;
const SETTING_SIZE: u32 = 6;
const PRIORITY_SIZE: u32 = 5;
/** Received octets are granted again in portions of this size, an eighth of the window. */
const GRANT: u32 = 1 << 28;
/** Frames of one header block, so that empty ones have an end too. */
const MAX_FRAGMENTS: u32 = 32;
/** Type, length in two octets, context id. */
const CAPSULE_HEAD: u32 = 4;
/** Longest datagram that is answered with: one DATA frame. */
const MAX_ANSWER: u32 = MAX_FRAME - CAPSULE_HEAD;
/** Sessions that are ended in one tick. */
const MAX_ENDED: u32 = 2048;
/**
 * One in so many of all sessions may linger after their first answer; beyond it the one that has lingered longest ends with
 * each new one. Envoy's memory of a session is some 10 KiB, so many of them cost cache misses; but with few, a flood of new
 * ports would end the sessions of steady clients between two queries, and a datagram that comes in that moment is lost.
 */
const LINGERING: u32 = 50;
const MIN_LINGERING: u32 = 64;
/** Microseconds within which a session's first datagram follows its request. */
const FIRST_DATAGRAM: u64 = 50_000;

const headers = new HeaderReader();

@final
export class TunnelConnection extends Channel {
  private readonly sessions: Sessions;
  private readonly datagrams: DatagramReader;
  /** The beginning of a frame whose rest is still to come. */
  private readonly input: usize = heap.alloc(FRAME_HEAD + MAX_FRAME);
  private inputLength: u32 = 0;
  /** The preface has come, and after it SETTINGS (RFC 9113, section 3.4). */
  private isGreeted: bool = false;
  private hasSettings: bool = false;
  /** A header block in several frames, of stream `blockStream`; 0 is none. */
  private block: usize = 0;
  private blockLength: u32 = 0;
  private blockStream: u32 = 0;
  private blockEnds: bool = false;
  private fragments: u32 = 0;
  private consumed: u32 = 0;
  /** What we may send: on the connection, and on a stream before its own credit. */
  private window: i64 = INITIAL_WINDOW;
  private initialWindow: i64 = INITIAL_WINDOW;
  private lastStream: u32 = 0;
  private now: u64 = 0;
  private isFreed: bool = false;
  /** Why the connection was ended, for the log. */
  error: ErrorCode = ErrorCode.NoError;

  constructor(
    context: u32,
    private readonly listener: Listener,
    receiver: Receiver,
    private readonly limits: TunnelLimits,
  ) {
    super(context);
    const sessions = new Sessions();
    this.sessions = sessions;
    this.datagrams = new DatagramReader(receiver, sessions, tunnelCounters);
  }

  /**
   * Octets of the connection; they are only read during the call. False where the peer violates the protocol: GOAWAY is
   * in the outbox, then `end` closes the connection.
   */
  receive(bytes: usize, length: u32, now: u64): bool {
    if (!this.open) return false;
    this.now = now;
    this.datagrams.now = now;
    let at = bytes;
    let left = length;
    while (left > 0 && this.inputLength > 0) {
      const missing = this.unitSize(this.input, this.inputLength) - this.inputLength;
      const size = min(left, missing);
      memory.copy(this.input + this.inputLength, at, size);
      this.inputLength += size;
      at += size;
      left -= size;
      if (size < missing) return true;
      const unit = this.unitSize(this.input, this.inputLength);
      if (unit == 0) return this.fail();
      if (unit > this.inputLength) continue;
      this.inputLength = 0;
      if (!this.unit(this.input)) return this.fail();
    }
    while (left > 0) {
      const size = this.unitSize(at, left);
      if (size == 0) return this.fail();
      if (size > left) {
        memory.copy(this.input, at, left);
        this.inputLength = left;
        break;
      }
      if (!this.unit(at)) return this.fail();
      at += size;
      left -= size;
    }
    if (this.consumed >= GRANT) {
      sendWindowUpdate(this.context, 0, this.consumed);
      this.consumed = 0;
    }
    return true;
  }

  /** The size of the preface or frame at `at`, or as much of it as must be there to know; 0 where it is too large. */
  private unitSize(at: usize, available: u32): u32 {
    if (!this.isGreeted) return PREFACE_SIZE;
    if (available < FRAME_HEAD) return FRAME_HEAD;
    const length = frameLength(at);
    if (length <= MAX_FRAME) return FRAME_HEAD + length;
    // RFC 9113, section 4.2: we leave SETTINGS_MAX_FRAME_SIZE as it is.
    this.error = ErrorCode.FrameSize;
    return 0;
  }

  private unit(at: usize): bool {
    if (this.isGreeted) return this.frame(at);
    if (!isPreface(at)) return this.violates(ErrorCode.Protocol);
    this.isGreeted = true;
    sendGreeting(this.context);
    return true;
  }

  /** An error of the connection (RFC 9113, section 5.4.1). */
  private violates(error: ErrorCode): bool {
    this.error = error;
    return false;
  }

  // ---- frames in ---------------------------------------------------------------------------------------------------

  /** A whole frame; false is a connection error. */
  private frame(head: usize): bool {
    const length = frameLength(head);
    const type = <u32>load<u8>(head + 3);
    const flags = <u32>load<u8>(head + 4);
    const stream = read32(head + 5) & STREAM_MASK;
    const payload = head + FRAME_HEAD;
    // A header block is not interrupted (RFC 9113, section 6.10), and SETTINGS come first (section 3.4).
    const isExpected = this.blockStream != 0 ? type == FrameType.Continuation && stream == this.blockStream : true;
    if (!isExpected || (!this.hasSettings && type != FrameType.Settings)) return this.violates(ErrorCode.Protocol);
    switch (type) {
      case FrameType.Data:
        return this.onData(stream, flags, payload, length);
      case FrameType.Headers:
        return this.onHeaders(stream, flags, payload, length);
      case FrameType.Continuation:
        if (this.blockStream == 0) return this.violates(ErrorCode.Protocol);
        return this.onBlock(flags, payload, length);
      case FrameType.RstStream:
        if (this.isIdle(stream)) return this.violates(ErrorCode.Protocol);
        if (length != 4) return this.violates(ErrorCode.FrameSize);
        this.forget(this.sessions.find(stream));
        return true;
      case FrameType.Settings:
        return this.onSettings(stream, flags, payload, length);
      case FrameType.Ping:
        if (stream != 0) return this.violates(ErrorCode.Protocol);
        if (length != 8) return this.violates(ErrorCode.FrameSize);
        if (!(flags & FrameFlag.Ack)) sendPingAck(this.context, load<u64>(payload));
        return true;
      case FrameType.GoAway:
        // Streams that are open go on (RFC 9113, section 6.8).
        if (stream != 0) return this.violates(ErrorCode.Protocol);
        return length >= 8 || this.violates(ErrorCode.FrameSize);
      case FrameType.WindowUpdate:
        return this.onWindowUpdate(stream, payload, length);
      case FrameType.PushPromise:
        // A client cannot push (RFC 9113, section 8.4).
        return this.violates(ErrorCode.Protocol);
    }
    // PRIORITY says nothing any more (RFC 9113, section 5.3.2), and other types are ignored (section 5.5).
    return true;
  }

  private onHeaders(stream: u32, flags: u32, payload: usize, length: u32): bool {
    let at = payload;
    let left = length;
    let padding: u32 = 0;
    // Clients' streams have odd numbers (RFC 9113, section 5.1.1).
    if ((stream & 1) == 0) return this.violates(ErrorCode.Protocol);
    if (flags & FrameFlag.Padded) {
      if (left < 1) return this.violates(ErrorCode.FrameSize);
      padding = load<u8>(at);
      at += 1;
      left -= 1;
    }
    if (flags & FrameFlag.Priority) {
      if (left < PRIORITY_SIZE) return this.violates(ErrorCode.FrameSize);
      at += PRIORITY_SIZE;
      left -= PRIORITY_SIZE;
    }
    if (padding > left) return this.violates(ErrorCode.Protocol);
    this.blockStream = stream;
    this.blockLength = 0;
    this.fragments = 0;
    this.blockEnds = (flags & FrameFlag.EndStream) != 0;
    return this.onBlock(flags, at, left - padding);
  }

  /** A piece of a header block, the last one with END_HEADERS. */
  private onBlock(flags: u32, at: usize, length: u32): bool {
    const isLast = (flags & FrameFlag.EndHeaders) != 0;
    let block = at;
    let size = length;
    if (!isLast || this.fragments > 0) {
      if (length > MAX_BLOCK - this.blockLength || ++this.fragments > MAX_FRAGMENTS) {
        return this.violates(ErrorCode.EnhanceYourCalm);
      }
      if (this.block == 0) this.block = heap.alloc(MAX_BLOCK);
      memory.copy(this.block + this.blockLength, at, length);
      this.blockLength += length;
      block = this.block;
      size = this.blockLength;
    }
    if (!isLast) return true;
    const stream = this.blockStream;
    this.blockStream = 0;
    // Every block is decoded, trailers too: what cannot be is an error of the connection (RFC 9113, section 4.3).
    if (!headers.read(block, size)) return this.violates(ErrorCode.Compression);
    if (stream > this.lastStream) {
      this.lastStream = stream;
      this.openSession(stream);
      return true;
    }
    const session = this.sessions.find(stream);
    // A stream that we have ended: the peer did not know yet (RFC 9113, section 5.1).
    if (session === null) return true;
    // Trailers end a stream (RFC 9113, section 8.1).
    if (this.blockEnds) this.finish(session);
    else this.resetStream(session, ErrorCode.Protocol);
    return true;
  }

  private openSession(stream: u32): void {
    const session = this.sessions.take();
    if (headers.sourceLength == 0 || !parseAddress(headers.source, headers.sourceLength, session)) {
      this.sessions.discard(session);
      tunnelCounters.sessionsRefused++;
      sendReset(this.context, stream, ErrorCode.Protocol);
      return;
    }
    if (this.sessions.count >= this.limits.sessions) {
      const oldest = this.sessions.expendable;
      if (oldest !== null) this.endSession(oldest);
    }
    session.evidence = this.listener.evidence;
    this.sessions.add(session, stream, this.now);
    tunnelCounters.sessionsOpened++;
    // Two for one, so that what is left of a burst shrinks.
    for (let ended: u32 = 0; ended < 2; ended++) {
      const excess = this.sessions.excess(session, this.limits.perSource);
      if (excess === null) break;
      this.endSession(excess);
    }
    this.endLingering();
    sendOk(this.context, stream);
    if (this.blockEnds) this.finish(session);
  }

  /** Makes place for a session among those that linger. */
  private endLingering(): void {
    const limit = max(this.limits.sessions / LINGERING, MIN_LINGERING);
    for (let ended: u32 = 0; ended < 2; ended++) {
      const idle = this.sessions.idle.oldest;
      if (idle === null || this.sessions.idle.length <= limit) return;
      // One that was just opened is about to be asked.
      if (idle.isFresh && this.now - idle.activeAt < FIRST_DATAGRAM) return;
      this.endSession(idle);
    }
  }

  private onData(stream: u32, flags: u32, payload: usize, length: u32): bool {
    if (this.isIdle(stream)) return this.violates(ErrorCode.Protocol);
    let at = payload;
    let end = payload + length;
    // Padding counts too, and so does what came too late (RFC 9113, section 6.9.1).
    this.consumed += length;
    if (flags & FrameFlag.Padded) {
      const padding: u32 = length == 0 ? 0 : load<u8>(at);
      if (padding >= length) return this.violates(ErrorCode.Protocol);
      end -= padding;
      at += 1;
    }
    const session = this.sessions.find(stream);
    if (session === null) return true;
    session.consumed += length;
    if (session.consumed >= GRANT) {
      sendWindowUpdate(this.context, stream, session.consumed);
      session.consumed = 0;
    }
    this.datagrams.read(this, session, at, end);
    // The session may be gone by now, and its object another's.
    if (flags & FrameFlag.EndStream && session.stream == stream) this.finish(session);
    return true;
  }

  private onSettings(stream: u32, flags: u32, payload: usize, length: u32): bool {
    if (stream != 0) return this.violates(ErrorCode.Protocol);
    if (flags & FrameFlag.Ack) {
      if (length != 0) return this.violates(ErrorCode.FrameSize);
      return this.hasSettings || this.violates(ErrorCode.Protocol);
    }
    if (length % SETTING_SIZE != 0) return this.violates(ErrorCode.FrameSize);
    this.hasSettings = true;
    for (let at = payload; at < payload + length; at += SETTING_SIZE) {
      const setting = read16(at);
      const value = read32(at + 2);
      if (setting == Setting.InitialWindowSize) {
        // It changes the windows of open streams too (RFC 9113, section 6.9.2): credit is counted from it.
        if (value > <u32>MAX_WINDOW) return this.violates(ErrorCode.FlowControl);
        this.initialWindow = value;
      } else if (setting == Setting.MaxFrameSize) {
        // We send no frame above the least size that it can have.
        if (value < MAX_FRAME || value > 0xff_ffff) return this.violates(ErrorCode.Protocol);
      } else if (setting == Setting.EnablePush && value > 1) {
        return this.violates(ErrorCode.Protocol);
      }
    }
    sendSettingsAck(this.context);
    return true;
  }

  private onWindowUpdate(stream: u32, payload: usize, length: u32): bool {
    if (length != 4) return this.violates(ErrorCode.FrameSize);
    const size = <i64>(read32(payload) & STREAM_MASK);
    if (stream == 0) {
      if (size == 0) return this.violates(ErrorCode.Protocol);
      this.window += size;
      return this.window <= MAX_WINDOW || this.violates(ErrorCode.FlowControl);
    }
    if (this.isIdle(stream)) return this.violates(ErrorCode.Protocol);
    const session = this.sessions.find(stream);
    if (session === null) return true;
    session.credit += size;
    if (size == 0) this.resetStream(session, ErrorCode.Protocol);
    else if (this.initialWindow + session.credit > MAX_WINDOW) this.resetStream(session, ErrorCode.FlowControl);
    return true;
  }

  /** Whether the peer has not opened this stream; 0 and even numbers never are. */
  private isIdle(stream: u32): bool {
    return (stream & 1) == 0 || stream > this.lastStream;
  }

  // ---- frames out --------------------------------------------------------------------------------------------------

  send(ticket: u32, message: usize, length: u32, _minimumTtl: u32): void {
    if (!this.open) return;
    const session = this.sessions.find(ticket);
    if (session === null) {
      tunnelCounters.datagramsLate++;
      return;
    }
    this.sessions.answered(session, this.now);
    const size = CAPSULE_HEAD + length;
    if (length > MAX_ANSWER || <i64>size > min(this.window, this.initialWindow + session.credit)) {
      tunnelCounters.datagramsDropped++;
      return;
    }
    this.window -= size;
    session.credit -= size;
    tunnelCounters.datagramsSent++;
    const out = reserve(this.context, FRAME_HEAD + size);
    writeFrameHead(out, size, FrameType.Data, FrameFlag.None, ticket);
    // One DATAGRAM capsule, its length in two octets (RFC 9000, section 16), context id 0.
    store<u32>(out + FRAME_HEAD, bswap<u32>((0x4000 | (length + 1)) << 8));
    memory.copy(out + FRAME_HEAD + CAPSULE_HEAD, message, length);
    commit(FRAME_HEAD + size);
  }

  drop(ticket: u32): void {
    const session = this.sessions.find(ticket);
    if (session !== null) this.sessions.answered(session, this.now);
  }

  /** END_STREAM alone would leave the stream with the peer for good: NO_ERROR ends it on both sides. */
  private endSession(session: Session): void {
    if (session.pending == 0) tunnelCounters.sessionsLingered++;
    else tunnelCounters.sessionsEvicted++;
    sendEnd(this.context, session.stream);
    sendReset(this.context, session.stream, ErrorCode.NoError);
    this.sessions.remove(session);
  }

  /** The peer has ended its side, and so do we. */
  private finish(session: Session): void {
    sendEnd(this.context, session.stream);
    this.forget(session);
  }

  /** An error of one stream (RFC 9113, section 5.4.2). */
  private resetStream(session: Session, error: ErrorCode): void {
    sendReset(this.context, session.stream, error);
    this.forget(session);
  }

  private forget(session: Session | null): void {
    if (session === null) return;
    tunnelCounters.sessionsEnded++;
    this.sessions.remove(session);
  }

  // ---- time and ends -----------------------------------------------------------------------------------------------

  /** Ends sessions that have lingered, sooner the more there are. */
  tick(now: u64): void {
    if (!this.open) return;
    this.now = now;
    let left = this.endIdle(this.sessions.idle, MAX_ENDED);
    left = this.endIdle(this.sessions.steady, left);
    // Whoever waits is ended only where there is no other way to make room.
    for (; left > 0 && this.sessions.count > this.limits.sessions / 2; left--) {
      const busy = this.sessions.busy.oldest;
      if (this.sessions.idle.oldest !== null || busy === null) return;
      this.endSession(busy);
    }
  }

  /** Ends what has lingered long enough, `most` at most; how many more may end. */
  private endIdle(queue: SessionQueue, most: u32): u32 {
    let left = most;
    for (; left > 0; left--) {
      const idle = queue.oldest;
      if (idle === null || this.now - idle.activeAt < this.limits.linger) break;
      this.endSession(idle);
    }
    return left;
  }

  private fail(): bool {
    tunnelCounters.connectionErrors++;
    sendGoAway(this.context, this.lastStream, this.error);
    this.leave();
    return false;
  }

  /** Nothing goes out any more, and nobody is waited for. */
  private leave(): void {
    this.open = false;
    tunnelCounters.sessionsEnded += this.sessions.clear();
  }

  /** Closes the connection; the pool of udp_proxy opens another. */
  end(): void {
    this.leave();
    flush();
    if (setEffectiveContext(this.context)) closeDownstream();
  }

  /** The connection is closed. */
  closed(): void {
    this.leave();
    if (this.isFreed) return;
    this.isFreed = true;
    heap.free(this.input);
    if (this.block != 0) heap.free(this.block);
  }
}
