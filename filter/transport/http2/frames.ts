// Frames of HTTP/2 (RFC 9113, section 4.1 and 6): their numbers, and the ones that we send.

import { commit, reserve } from "../../host/outbox";
import { write16, write32 } from "../../wire/types";

export const FRAME_HEAD: u32 = 9;
/** The least, and default, of SETTINGS_MAX_FRAME_SIZE (RFC 9113, section 6.5.2): ours, and what any peer takes. */
export const MAX_FRAME: u32 = 16384;
/** RFC 9113, section 6.9.1. */
export const MAX_WINDOW: i64 = 0x7fff_ffff;
/** RFC 9113, section 6.9.2. */
export const INITIAL_WINDOW: i64 = 65535;

export const enum FrameType {
  Data = 0,
  Headers = 1,
  Priority = 2,
  RstStream = 3,
  Settings = 4,
  PushPromise = 5,
  Ping = 6,
  GoAway = 7,
  WindowUpdate = 8,
  Continuation = 9,
}

export const enum FrameFlag {
  None = 0,
  Ack = 0x01,
  EndStream = 0x01,
  EndHeaders = 0x04,
  Padded = 0x08,
  Priority = 0x20,
}

/** RFC 9113, section 7. */
export const enum ErrorCode {
  NoError = 0,
  Protocol = 1,
  FlowControl = 3,
  StreamClosed = 5,
  FrameSize = 6,
  RefusedStream = 7,
  Compression = 9,
  EnhanceYourCalm = 11,
}

/** RFC 9113, section 6.5.2. */
export const enum Setting {
  HeaderTableSize = 1,
  EnablePush = 2,
  MaxConcurrentStreams = 3,
  InitialWindowSize = 4,
  MaxFrameSize = 5,
}

/** `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n` (RFC 9113, section 3.4). */
export const PREFACE_SIZE: u32 = 24;
const PREFACE: usize = memory.data<u8>([
  0x50, 0x52, 0x49, 0x20, 0x2a, 0x20, 0x48, 0x54, 0x54, 0x50, 0x2f, 0x32, 0x2e, 0x30, 0x0d, 0x0a, 0x0d, 0x0a, 0x53,
  0x4d, 0x0d, 0x0a, 0x0d, 0x0a,
]);

export function isPreface(at: usize): bool {
  return memory.compare(at, PREFACE, PREFACE_SIZE) == 0;
}

/** The length of a frame's payload. */
export function frameLength(head: usize): u32 {
  return bswap<u32>(load<u32>(head)) >> 8;
}

export function writeFrameHead(out: usize, length: u32, type: FrameType, flags: u32, stream: u32): void {
  store<u32>(out, bswap<u32>((length << 8) | type));
  store<u8>(out + 4, <u8>flags);
  write32(out + 5, stream);
}

/** Octets of DATA frames for so many octets of a body. */
export function dataSize(length: u32): u32 {
  return length + ((length + MAX_FRAME - 1) / MAX_FRAME) * FRAME_HEAD;
}

/** Writes DATA frames, the last with END_STREAM where that is all; how many octets they have. */
export function writeData(out: usize, stream: u32, body: usize, length: u32, isWhole: bool): u32 {
  let at = out;
  let left = length;
  while (left > 0) {
    const size = min(left, MAX_FRAME);
    const isLast = isWhole && size == left;
    writeFrameHead(at, size, FrameType.Data, isLast ? FrameFlag.EndStream : FrameFlag.None, stream);
    memory.copy(at + FRAME_HEAD, body + (length - left), size);
    at += FRAME_HEAD + size;
    left -= size;
  }
  return <u32>(at - out);
}

export const SETTING_SIZE: u32 = 6;

/** What we tell a peer first. */
export class Greeting {
  constructor(
    /** SETTINGS_HEADER_TABLE_SIZE: octets of HPACK's dynamic table. */
    readonly tableSize: u32,
    readonly maxStreams: u32,
    /** Octets that a stream, and the whole connection, may send before we grant more. */
    readonly streamWindow: u32,
    readonly connectionWindow: u32,
  ) {}
}

export function sendGreeting(context: u32, greeting: Greeting): void {
  const length = 3 * SETTING_SIZE;
  const out = reserve(context, FRAME_HEAD + length);
  writeFrameHead(out, length, FrameType.Settings, FrameFlag.None, 0);
  writeSetting(out + 9, Setting.HeaderTableSize, greeting.tableSize);
  writeSetting(out + 15, Setting.MaxConcurrentStreams, greeting.maxStreams);
  writeSetting(out + 21, Setting.InitialWindowSize, greeting.streamWindow);
  commit(FRAME_HEAD + length);
  // Settings do not reach the connection's own window (RFC 9113, section 6.9.2).
  sendWindowUpdate(context, 0, greeting.connectionWindow - <u32>INITIAL_WINDOW);
}

function writeSetting(out: usize, setting: Setting, value: u32): void {
  write16(out, setting);
  write32(out + 2, value);
}

export function sendSettingsAck(context: u32): void {
  writeFrameHead(reserve(context, FRAME_HEAD), 0, FrameType.Settings, FrameFlag.Ack, 0);
  commit(FRAME_HEAD);
}

export function sendPingAck(context: u32, payload: u64): void {
  const size = FRAME_HEAD + 8;
  const out = reserve(context, size);
  writeFrameHead(out, 8, FrameType.Ping, FrameFlag.Ack, 0);
  store<u64>(out + FRAME_HEAD, payload);
  commit(size);
}

export function sendWindowUpdate(context: u32, stream: u32, increment: u32): void {
  const size = FRAME_HEAD + 4;
  const out = reserve(context, size);
  writeFrameHead(out, 4, FrameType.WindowUpdate, FrameFlag.None, stream);
  write32(out + FRAME_HEAD, increment);
  commit(size);
}

export function sendEnd(context: u32, stream: u32): void {
  writeFrameHead(reserve(context, FRAME_HEAD), 0, FrameType.Data, FrameFlag.EndStream, stream);
  commit(FRAME_HEAD);
}

export function sendReset(context: u32, stream: u32, error: ErrorCode): void {
  const size = FRAME_HEAD + 4;
  const out = reserve(context, size);
  writeFrameHead(out, 4, FrameType.RstStream, FrameFlag.None, stream);
  write32(out + FRAME_HEAD, error);
  commit(size);
}

export function sendGoAway(context: u32, lastStream: u32, error: ErrorCode): void {
  const size = FRAME_HEAD + 8;
  const out = reserve(context, size);
  writeFrameHead(out, 8, FrameType.GoAway, FrameFlag.None, 0);
  write32(out + FRAME_HEAD, lastStream);
  write32(out + FRAME_HEAD + 4, error);
  commit(size);
}
