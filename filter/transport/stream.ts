// Connections of clients, whatever framing they speak: input that has to wait, how much may be sent, and when one has
// been open, idle or half-read for too long.

import { closeDownstream, setEffectiveContext } from "../host/host";
import { flush } from "../host/outbox";
import { Channel } from "./channel";
import { Peer } from "./peer";

/** Limits of streams; times in microseconds. */
export class StreamLimits {
  idle: u64 = 0;
  reading: u64 = 0;
  lifetime: u64 = 0;
  inFlight: u32 = 0;
  /** Octets of input and of answers a tick that all streams of the worker share. */
  input: u32 = 0;
  outputPerTick: u32 = 0;
}

/** More input than this of one stream, unread because it has too much in flight or takes no answers, ends it. */
const MAX_BACKLOG: u32 = 64 * 1024;
const FIRST_BACKLOG: u32 = 1024;
/**
 * A stream may always send this much in a tick, and the answer with which it exceeds it: 50 clients that ask without reading
 * then take a tenth of a worker's time, not all of it.
 */
const MIN_OUTPUT: u32 = 8 * 1024;

/** All streams of a worker. */
@final
export class Streams {
  readonly list: Array<Stream> = new Array<Stream>();
  /** Octets of memory that all streams hold. */
  held: u32 = 0;
  /** Octets that one stream may send in this tick. */
  share: u32;
  /** Streams that have sent much in this tick. */
  busy: u32 = 0;
  private swept: i32 = 0;

  constructor(readonly limits: StreamLimits) {
    this.share = limits.outputPerTick;
  }

  add(stream: Stream): void {
    stream.index = this.list.length;
    this.list.push(stream);
  }

  remove(stream: Stream): void {
    const last = this.list.pop();
    if (last !== stream) {
      last.index = stream.index;
      unchecked((this.list[stream.index] = last));
    }
  }

  /** Every tick: streams that were stopped go on, and a part of all is looked at for time that is over. */
  tick(now: u64, draining: bool): void {
    // Octets of answers are shared out among those who took most: who does not read holds its share, not more.
    this.share = max(MIN_OUTPUT, this.limits.outputPerTick / max(this.busy, 1));
    this.busy = 0;
    for (let i = this.list.length - 1; i >= 0; i--) {
      // A stream that goes on may end others.
      if (i < this.list.length) unchecked(this.list[i]).renew(now);
    }
    for (let n = this.list.length / SWEEP_TICKS + 1; n > 0 && this.list.length > 0; n--) {
      if (--this.swept < 0 || this.swept >= this.list.length) this.swept = this.list.length - 1;
      const stream = unchecked(this.list[this.swept]);
      if (stream.isOver(now, draining)) stream.end();
    }
  }

  /** Ends the streams that have held memory longest until the rest fits. */
  makeRoom(): void {
    while (this.held > this.limits.input) {
      let oldest: Stream | null = null;
      for (let i = 0; i < this.list.length; i++) {
        const stream = unchecked(this.list[i]);
        if (stream.held == 0 || !stream.open) continue;
        if (oldest === null || stream.heldSince < oldest.heldSince) oldest = stream;
      }
      if (oldest === null) return;
      oldest.end();
    }
  }
}

/** Ticks in which all streams are looked at once. */
const SWEEP_TICKS: i32 = 10;

export abstract class Stream extends Channel {
  readonly peer: Peer = new Peer();
  index: i32 = 0;
  /** The tenant whose connections it is counted with; 0 is none. */
  countedTenant: u32 = 0;
  /** Octets of memory that it holds, and since when it has held any. */
  held: u32 = 0;
  heldSince: u64 = 0;
  private backlog: usize = 0;
  private backlogSize: u32 = 0;
  private backlogLength: u32 = 0;
  private backlogSince: u64 = 0;
  /** Queries that wait for an answer. */
  protected inFlight: u32 = 0;
  private sent: u32 = 0;
  protected activeAt: u64;
  private readonly openedAt: u64;
  private isReading: bool = false;

  constructor(
    context: u32,
    protected readonly streams: Streams,
    now: u64,
  ) {
    super(context);
    this.activeAt = now;
    this.openedAt = now;
    streams.add(this);
  }

  /** Octets came in; they are only read during the call. */
  receive(bytes: usize, length: u32, now: u64): void {
    this.activeAt = now;
    if (this.backlogLength == 0) {
      const used = this.read(bytes, length);
      if (this.open && used < length) this.hold(bytes + used, length - used, now);
      return;
    }
    if (!this.hold(bytes, length, now)) return;
    this.goOn();
  }

  /** The size of the unit at `at`, or as much of it as must be there to know; 0 where it ends the connection. */
  protected abstract unitSize(at: usize, available: u32): u32;

  /** Takes a whole unit of that size. */
  protected abstract take(at: usize, size: u32): void;

  /** Whether another unit may be taken. */
  protected mayRead(): bool {
    return this.open && this.sent < this.streams.share;
  }

  /** What goes out before the connection is closed. */
  protected farewell(): void {}

  /** Takes units as far as they are whole and may be answered; returns the octets used. */
  private read(bytes: usize, length: u32): u32 {
    if (this.isReading) return 0;
    this.isReading = true;
    let at: u32 = 0;
    while (at < length && this.mayRead()) {
      const size = this.unitSize(bytes + at, length - at);
      if (size == 0) {
        this.end();
        break;
      }
      if (size > length - at) break;
      this.take(bytes + at, size);
      at += size;
    }
    this.isReading = false;
    return at;
  }

  /** Keeps input for later; false where that ends the stream. */
  private hold(bytes: usize, length: u32, now: u64): bool {
    const needed = this.backlogLength + length;
    if (needed > MAX_BACKLOG + 2) {
      this.end();
      return false;
    }
    if (needed > this.backlogSize) {
      let size = max(this.backlogSize, FIRST_BACKLOG);
      while (size < needed) size <<= 1;
      const larger = heap.alloc(size);
      memory.copy(larger, this.backlog, this.backlogLength);
      if (this.backlog != 0) heap.free(this.backlog);
      this.keep(size - this.backlogSize, now);
      this.backlog = larger;
      this.backlogSize = size;
    }
    if (this.backlogLength == 0) this.backlogSince = now;
    memory.copy(this.backlog + this.backlogLength, bytes, length);
    this.backlogLength = needed;
    this.streams.makeRoom();
    return this.open;
  }

  /** Reads on in what was kept. */
  private goOn(): void {
    if (this.backlogLength == 0) return;
    const used = this.read(this.backlog, this.backlogLength);
    if (!this.open || used == 0) return;
    const left = this.backlogLength - used;
    if (left == 0) this.freeBacklog();
    else memory.copy(this.backlog, this.backlog + used, left);
    this.backlogLength = left;
    this.backlogSince = this.activeAt;
  }

  private freeBacklog(): void {
    if (this.backlog == 0) return;
    heap.free(this.backlog);
    this.giveBack(this.backlogSize);
    this.backlog = 0;
    this.backlogSize = 0;
    this.backlogLength = 0;
  }

  /** So much memory more, or less, is held for it. */
  protected keep(octets: u32, now: u64): void {
    if (this.held == 0) this.heldSince = now;
    this.held += octets;
    this.streams.held += octets;
  }

  protected giveBack(octets: u32): void {
    this.held -= octets;
    this.streams.held -= octets;
  }

  /** So many octets were written to the client. */
  protected wrote(octets: u32): void {
    if (this.sent < MIN_OUTPUT && this.sent + octets >= MIN_OUTPUT) this.streams.busy++;
    this.sent += octets;
  }

  /** A tick has passed: it may send again, and reads on. */
  renew(now: u64): void {
    this.sent = 0;
    // Idle begins when the last answer has gone (RFC 7766, section 3): clients are told so (RFC 7828).
    if (this.inFlight > 0) this.activeAt = now;
    this.goOn();
  }

  /** Whether it has been idle, half-read or open for too long. */
  isOver(now: u64, draining: bool): bool {
    const limits = this.streams.limits;
    if (this.backlogLength != 0 && now - this.backlogSince > limits.reading && this.inFlight < limits.inFlight)
      return true;
    if (this.inFlight != 0) return false;
    if (draining || now - this.openedAt > limits.lifetime) return true;
    return now - this.activeAt > limits.idle;
  }

  /** Closes the connection. */
  end(): void {
    if (!this.open) return;
    this.open = false;
    // Envoy deletes the connection later, and room is made now.
    if (!this.isReading) this.freeBacklog();
    this.farewell();
    flush();
    if (setEffectiveContext(this.context)) closeDownstream();
  }

  /** The connection is closed. */
  closed(): void {
    this.open = false;
    this.freeBacklog();
    this.streams.remove(this);
  }
}
