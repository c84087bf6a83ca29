// The server's side of an HTTP/2 connection (RFC 9113), as far as it is the same for everyone who is one: the preface,
// settings, header blocks, windows. What requests are about is told to a handler.

import { read16, read32 } from "../../wire/types";
import {
  ErrorCode,
  FRAME_HEAD,
  FrameFlag,
  FrameType,
  frameLength,
  Greeting,
  INITIAL_WINDOW,
  isPreface,
  MAX_FRAME,
  MAX_WINDOW,
  PREFACE_SIZE,
  SETTING_SIZE,
  Setting,
  sendGoAway,
  sendGreeting,
  sendPingAck,
  sendSettingsAck,
  sendWindowUpdate,
} from "./frames";
import { HeaderReader, MAX_BLOCK } from "./header-block";

/** Who has the streams. */
export interface Http2Handler {
  /** A new stream; its fields are in `request`. `ended`: there is no body. */
  onRequest(stream: u32, ended: bool): void;
  /** A header block on a stream that had one: trailers. */
  onTrailers(stream: u32, ended: bool): void;
  /**
   * A part of a body, from `at` to `end`; `size` octets of the windows are used, and the handler grants them again. The
   * stream may be one that has ended.
   */
  onBody(stream: u32, at: usize, end: usize, size: u32, ended: bool): void;
  onReset(stream: u32): void;
  /** The peer takes `size` more octets of a stream, and 0 is an error of it. */
  onCredit(stream: u32, size: u32): void;
  /** The peer takes more octets than before, of all streams. */
  onWindow(): void;
}

const STREAM_MASK: u32 = 0x7fff_ffff;
const PRIORITY_SIZE: u32 = 5;
/** Frames of one header block, so that empty ones have an end too. */
const MAX_FRAGMENTS: u32 = 32;

@final
export class Http2Server {
  /** What we may send: on the connection, and on a stream before its own credit. */
  window: i64 = INITIAL_WINDOW;
  initialWindow: i64 = INITIAL_WINDOW;
  lastStream: u32 = 0;
  /** Octets of frames that were answered without a word of the handler: acknowledgements. */
  acknowledged: u32 = 0;
  /** Why the connection was ended, for the log. */
  error: ErrorCode = ErrorCode.NoError;
  private readonly headers: HeaderReader;
  /** The preface has come, and after it SETTINGS (RFC 9113, section 3.4). */
  private isGreeted: bool = false;
  private hasSettings: bool = false;
  /** A header block in several frames, of stream `blockStream`; 0 is none. */
  private block: usize = 0;
  private blockLength: u32 = 0;
  private blockStream: u32 = 0;
  private blockEnds: bool = false;
  private fragments: u32 = 0;
  /** What the peer may send us, and what it has sent that was not granted again. */
  private received: u32 = 0;
  private granted: u32 = 0;

  constructor(
    private readonly context: u32,
    private readonly handler: Http2Handler,
    private readonly greeting: Greeting,
  ) {
    this.headers = new HeaderReader(greeting.tableSize);
  }

  free(): void {
    this.headers.free();
    if (this.block != 0) heap.free(this.block);
    this.block = 0;
  }

  /** The size of the preface or frame at `at`, or as much of it as must be there to know; 0 where it is too large. */
  unitSize(at: usize, available: u32): u32 {
    if (!this.isGreeted) return PREFACE_SIZE;
    if (available < FRAME_HEAD) return FRAME_HEAD;
    const length = frameLength(at);
    if (length <= MAX_FRAME) return FRAME_HEAD + length;
    // RFC 9113, section 4.2: we leave SETTINGS_MAX_FRAME_SIZE as it is.
    this.error = ErrorCode.FrameSize;
    return 0;
  }

  /** A whole unit; false is an error of the connection, which `goAway` then tells the peer. */
  unit(at: usize): bool {
    if (this.isGreeted) return this.frame(at);
    if (!isPreface(at)) return this.violates(ErrorCode.Protocol);
    this.isGreeted = true;
    sendGreeting(this.context, this.greeting);
    return true;
  }

  /** The last frame that we send (RFC 9113, section 6.8). */
  goAway(): void {
    sendGoAway(this.context, this.lastStream, this.error);
  }

  /** The peer may send `size` octets again that it has sent. */
  grant(size: u32): void {
    this.granted += size;
    // In portions of an eighth of the window, so that this is seldom said.
    if (this.granted < this.greeting.connectionWindow >> 3) return;
    sendWindowUpdate(this.context, 0, this.granted);
    this.received -= this.granted;
    this.granted = 0;
  }

  /** An error of the connection (RFC 9113, section 5.4.1). */
  private violates(error: ErrorCode): bool {
    this.error = error;
    return false;
  }

  // ---- frames ------------------------------------------------------------------------------------------------------

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
        this.handler.onReset(stream);
        return true;
      case FrameType.Settings:
        return this.onSettings(stream, flags, payload, length);
      case FrameType.Ping:
        if (stream != 0) return this.violates(ErrorCode.Protocol);
        if (length != 8) return this.violates(ErrorCode.FrameSize);
        if (!(flags & FrameFlag.Ack)) {
          sendPingAck(this.context, load<u64>(payload));
          this.acknowledged += FRAME_HEAD + 8;
        }
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
    if (!this.headers.read(block, size)) return this.violates(ErrorCode.Compression);
    if (this.block != 0) {
      heap.free(this.block);
      this.block = 0;
    }
    if (stream > this.lastStream) {
      this.lastStream = stream;
      this.handler.onRequest(stream, this.blockEnds);
    } else {
      this.handler.onTrailers(stream, this.blockEnds);
    }
    return true;
  }

  private onData(stream: u32, flags: u32, payload: usize, length: u32): bool {
    if (this.isIdle(stream)) return this.violates(ErrorCode.Protocol);
    // Padding counts too, and so does what came too late (RFC 9113, section 6.9.1).
    this.received += length;
    if (this.received > this.greeting.connectionWindow) return this.violates(ErrorCode.FlowControl);
    let at = payload;
    let end = payload + length;
    if (flags & FrameFlag.Padded) {
      const padding: u32 = length == 0 ? 0 : load<u8>(at);
      if (padding >= length) return this.violates(ErrorCode.Protocol);
      end -= padding;
      at += 1;
    }
    this.handler.onBody(stream, at, end, length, (flags & FrameFlag.EndStream) != 0);
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
    const before = this.initialWindow;
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
    this.acknowledged += FRAME_HEAD;
    if (this.initialWindow > before) this.handler.onWindow();
    return true;
  }

  private onWindowUpdate(stream: u32, payload: usize, length: u32): bool {
    if (length != 4) return this.violates(ErrorCode.FrameSize);
    const size = read32(payload) & STREAM_MASK;
    if (stream == 0) {
      if (size == 0) return this.violates(ErrorCode.Protocol);
      this.window += size;
      if (this.window > MAX_WINDOW) return this.violates(ErrorCode.FlowControl);
      this.handler.onWindow();
      return true;
    }
    if (this.isIdle(stream)) return this.violates(ErrorCode.Protocol);
    this.handler.onCredit(stream, size);
    return true;
  }

  /** Whether the peer has not opened this stream; 0 and even numbers never are. */
  private isIdle(stream: u32): bool {
    return (stream & 1) == 0 || stream > this.lastStream;
  }

  /** How an increment of a stream's window fails that now has this credit, or NoError (RFC 9113, section 6.9). */
  creditError(size: u32, credit: i64): ErrorCode {
    if (size == 0) return ErrorCode.Protocol;
    return this.initialWindow + credit > MAX_WINDOW ? ErrorCode.FlowControl : ErrorCode.NoError;
  }
}
