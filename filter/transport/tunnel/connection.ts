// The UDP transport. Envoy's udp_proxy carries each UDP session as a request of one HTTP/2 connection, datagrams in
// capsules (RFC 9297); this is the server of that connection.

import { closeDownstream, setEffectiveContext } from "../../host/host";
import { commit, flush, reserve } from "../../host/outbox";
import { Channel, Receiver } from "../channel";
import { Listener } from "../evidence";
import {
  ErrorCode,
  FRAME_HEAD,
  FrameFlag,
  FrameType,
  Greeting,
  MAX_FRAME,
  MAX_WINDOW,
  sendEnd,
  sendReset,
  sendWindowUpdate,
  writeFrameHead,
} from "../http2/frames";
import { request } from "../http2/header-block";
import { Http2Handler, Http2Server } from "../http2/server";
import { parseAddress } from "./address";
import { tunnelCounters } from "./counters";
import { DatagramReader } from "./datagrams";
import { Session, Sessions } from "./sessions";

/** Limits of UDP sessions in this worker; times in microseconds. */
export class TunnelLimits {
  sessions: u32 = 0;
  perSource: u32 = 0;
  /** Envoy ends a session for which nothing was sent for some time (idle_timeout): one that waits is kept by a word in this. */
  keepAlive: u64 = 0;
}

/**
 * No dynamic table; streams and windows as large as can be: sessions are bounded by us, not by Envoy, and a stream whose
 * window is used up would wait for good.
 */
const GREETING = new Greeting(0, <u32>MAX_WINDOW, <u32>MAX_WINDOW, <u32>MAX_WINDOW);
/** Received octets of a stream are granted again in portions of this size, an eighth of the window. */
const GRANT: u32 = 1 << 28;
/** Type, length in two octets, context id. */
const CAPSULE_HEAD: u32 = 4;
/** Longest datagram that is answered with: one DATA frame. */
const MAX_ANSWER: u32 = MAX_FRAME - CAPSULE_HEAD;
/** Sessions that are kept, or ended, in one tick. */
const MAX_IN_TICK: u32 = 4096;
/** One in so many of all sessions may be idle after one query, and no more than they have found room for. */
const IDLE_SHARE: u32 = 10;
const MIN_IDLE: u32 = 64;
/** Microseconds within which a session's first datagram follows its request. */
const FIRST_DATAGRAM: u64 = 50_000;

@final
export class TunnelConnection extends Channel implements Http2Handler {
  private readonly http2!: Http2Server;
  private readonly sessions: Sessions;
  private readonly datagrams: DatagramReader;
  /** The beginning of a frame whose rest is still to come. */
  private readonly input: usize = heap.alloc(FRAME_HEAD + MAX_FRAME);
  private inputLength: u32 = 0;
  private now: u64 = 0;
  /** Within `receive`: more of a session may be there to be read. */
  private isReading: bool = false;
  private isFreed: bool = false;

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
    this.http2 = new Http2Server(context, this, GREETING);
  }

  /**
   * Octets of the connection; they are only read during the call. False where the peer violates the protocol: GOAWAY is
   * in the outbox, then `end` closes the connection.
   */
  receive(bytes: usize, length: u32, now: u64): bool {
    if (!this.open) return false;
    this.now = now;
    this.datagrams.now = now;
    this.isReading = true;
    const isSound = this.read(bytes, length);
    this.isReading = false;
    if (isSound) this.endAnswered();
    return isSound;
  }

  private read(bytes: usize, length: u32): bool {
    const http2 = this.http2;
    let at = bytes;
    let left = length;
    while (left > 0 && this.inputLength > 0) {
      const missing = http2.unitSize(this.input, this.inputLength) - this.inputLength;
      const size = min(left, missing);
      memory.copy(this.input + this.inputLength, at, size);
      this.inputLength += size;
      at += size;
      left -= size;
      if (size < missing) return true;
      const unit = http2.unitSize(this.input, this.inputLength);
      if (unit == 0) return this.fail();
      if (unit > this.inputLength) continue;
      this.inputLength = 0;
      if (!http2.unit(this.input)) return this.fail();
    }
    while (left > 0) {
      const size = http2.unitSize(at, left);
      if (size == 0) return this.fail();
      if (size > left) {
        memory.copy(this.input, at, left);
        this.inputLength = left;
        break;
      }
      if (!http2.unit(at)) return this.fail();
      at += size;
      left -= size;
    }
    return true;
  }

  // ---- streams in --------------------------------------------------------------------------------------------------

  onRequest(stream: u32, ended: bool): void {
    const session = this.sessions.take();
    const source = request.source;
    if (request.isMalformed || source.length == 0 || !parseAddress(source.at, source.length, session)) {
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
    const excess = this.sessions.excess(session, max(this.limits.perSource, 1));
    if (excess !== null) this.endSession(excess);
    this.endIdle();
    sendOk(this.context, stream);
    if (ended) this.finish(session);
  }

  /** Of the sessions that were answered in this turn, those end that are over. */
  private endAnswered(): void {
    let session = this.sessions.idle.newest;
    while (session !== null && session.activeAt == this.now) {
      const older = session.older;
      this.endIfOver(session);
      session = older;
    }
  }

  private endIfOver(session: Session): void {
    if (!this.sessions.isOver(session)) return;
    this.sessions.habits.ended(session.stream, session.habit);
    this.endSession(session);
  }

  /** Those of too many that have been idle for longest end: two with each new one, until there are few enough. */
  private endIdle(): void {
    const idle = this.sessions.idle;
    const limit = min(max(this.limits.sessions / IDLE_SHARE, MIN_IDLE), this.sessions.idleRoom);
    for (let left = 2; left > 0 && idle.length > limit; left--) {
      const oldest = idle.oldest;
      // One that was just opened is about to be asked.
      if (oldest === null || (oldest.isFresh && this.now - oldest.activeAt < FIRST_DATAGRAM)) return;
      this.endSession(oldest);
    }
  }

  onTrailers(stream: u32, ended: bool): void {
    const session = this.sessions.find(stream);
    // A stream that we have ended: the peer did not know yet (RFC 9113, section 5.1).
    if (session === null) return;
    // Trailers end a stream (RFC 9113, section 8.1).
    if (ended) this.finish(session);
    else this.resetStream(session, ErrorCode.Protocol);
  }

  onBody(stream: u32, at: usize, end: usize, size: u32, ended: bool): void {
    this.http2.grant(size);
    const session = this.sessions.find(stream);
    if (session === null) {
      if (at < end) this.sessions.habits.late(stream);
      return;
    }
    session.consumed += size;
    if (session.consumed >= GRANT) {
      sendWindowUpdate(this.context, stream, session.consumed);
      session.consumed = 0;
    }
    this.datagrams.read(this, session, at, end);
    // The session may be gone by now, and its object another's.
    if (ended && session.stream == stream) this.finish(session);
  }

  onReset(stream: u32): void {
    this.forget(this.sessions.find(stream));
  }

  onCredit(stream: u32, size: u32): void {
    const session = this.sessions.find(stream);
    if (session === null) return;
    session.credit += size;
    const error = this.http2.creditError(size, session.credit);
    if (error != ErrorCode.NoError) this.resetStream(session, error);
  }

  /** Nothing waits for room. */
  onWindow(): void {}

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
    const http2 = this.http2;
    if (length > MAX_ANSWER || <i64>size > min(http2.window, http2.initialWindow + session.credit)) {
      tunnelCounters.datagramsDropped++;
      return;
    }
    http2.window -= size;
    session.credit -= size;
    tunnelCounters.datagramsSent++;
    const out = reserve(this.context, FRAME_HEAD + size);
    writeFrameHead(out, size, FrameType.Data, FrameFlag.None, ticket);
    // One DATAGRAM capsule, its length in two octets (RFC 9000, section 16), context id 0.
    store<u32>(out + FRAME_HEAD, bswap<u32>((0x4000 | (length + 1)) << 8));
    memory.copy(out + FRAME_HEAD + CAPSULE_HEAD, message, length);
    commit(FRAME_HEAD + size);
    if (!this.isReading) this.endIfOver(session);
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

  /** Keeps the sessions that wait; of too many, those that wait for longest end. */
  tick(now: u64): void {
    if (!this.open) return;
    this.now = now;
    const sessions = this.sessions;
    for (let left = MAX_IN_TICK; left > 0 && sessions.count > this.limits.sessions / 2; left--) {
      const busy = sessions.busy.oldest;
      // Whoever waits is ended only where there is no other way to make room.
      if (sessions.idle.oldest !== null || busy === null) break;
      this.endSession(busy);
    }
    for (let left = MAX_IN_TICK; left > 0; left--) {
      const busy = sessions.busy.oldest;
      if (busy === null || now - busy.activeAt < this.limits.keepAlive) break;
      this.http2.window -= NOTHING_SIZE;
      busy.credit -= NOTHING_SIZE;
      sendNothing(this.context, busy.stream);
      sessions.touch(busy, now);
    }
  }

  private fail(): bool {
    tunnelCounters.connectionErrors++;
    this.http2.goAway();
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
    this.http2.free();
  }
}

/** The table of the peer's decoder may be of size 0, which an encoder has to acknowledge (RFC 7541, section 4.2). */
const TABLE_SIZE_0: u32 = 0x20;
/** `:status: 200`, entry 8 of HPACK's static table (RFC 7541, appendix A). */
const STATUS_200: u32 = 0x88;

/**
 * The response's headers: udp_proxy sends no datagram before it has them. Envoy with `hpack_table_size: 0` insists on
 * the acknowledgement at the beginning of the first block; it may stand before any.
 */
function sendOk(context: u32, stream: u32): void {
  const size = FRAME_HEAD + 2;
  const out = reserve(context, size);
  writeFrameHead(out, 2, FrameType.Headers, FrameFlag.EndHeaders, stream);
  store<u16>(out + FRAME_HEAD, <u16>(TABLE_SIZE_0 | (STATUS_200 << 8)));
  commit(size);
}

/** A capsule of a type that says nothing (RFC 9297, section 5.4), without octets: 0x17, length 0. */
const NOTHING: u32 = 0x0017;
const NOTHING_SIZE: u32 = 2;

/** Nothing for the client, but a sign for udp_proxy that the session is alive. */
function sendNothing(context: u32, stream: u32): void {
  const size = FRAME_HEAD + NOTHING_SIZE;
  const out = reserve(context, size);
  writeFrameHead(out, NOTHING_SIZE, FrameType.Data, FrameFlag.None, stream);
  store<u16>(out + FRAME_HEAD, <u16>NOTHING);
  commit(size);
}
