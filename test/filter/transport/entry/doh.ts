// @ts-nocheck AssemblyScript.
/** DNS-over-HTTPS connections with a scripted receiver, and a reader of header blocks with a dynamic table. */
import { flush } from "../../../../filter/host/outbox";
import { DohConnection } from "../../../../filter/transport/doh/connection";
import { Listener } from "../../../../filter/transport/evidence";
import { HeaderReader, request } from "../../../../filter/transport/http2/header-block";
import { StreamLimits, Streams } from "../../../../filter/transport/stream";
import { ScriptedReceiver } from "./scripted-receiver";

const input: usize = heap.alloc(1 << 20);
const output: usize = heap.alloc(1 << 16);
const listener = new Listener(3, "doh", "");
let receiver = new ScriptedReceiver();
let streams = new Streams(new StreamLimits());
let reader = new HeaderReader(4096);
const open = new Map<u32, DohConnection>();

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return output;
}
/** All anew. Times are in microseconds. */
export function begin(idle: u64, reading: u64, lifetime: u64, octets: u32, outputPerTick: u32): void {
  const limits = new StreamLimits();
  limits.idle = idle;
  limits.reading = reading;
  limits.lifetime = lifetime;
  limits.inFlight = 100;
  limits.input = octets;
  limits.outputPerTick = outputPerTick;
  streams = new Streams(limits);
  receiver = new ScriptedReceiver();
  open.clear();
}
export function setMode(mode: u32, size: u32, ttl: u32): void {
  receiver.mode = mode;
  receiver.size = size;
  receiver.ttl = ttl;
}
export function connect(context: u32, now: u64): void {
  const connection = new DohConnection(context, streams, receiver, now);
  connection.peer.evidence = listener.evidence;
  open.set(context, connection);
}
/** The octets at `inputAt`; whether the connection is still open. */
export function receive(context: u32, length: u32, now: u64): u32 {
  const connection = open.get(context);
  connection.receive(input, length, now);
  flush();
  return connection.open ? 1 : 0;
}
export function received(): u32 {
  return receiver.received;
}
/** The path of the last query, at `outputAt`. */
export function lastPath(): u32 {
  memory.copy(output, changetype<usize>(receiver.path), receiver.path.byteLength);
  return receiver.path.byteLength;
}
export function lastLength(): u32 {
  return receiver.length;
}
export function answerHeld(count: u32, lastFirst: u32, dropping: u32): void {
  receiver.answerHeld(count, lastFirst != 0, dropping != 0);
  flush();
}
export function tick(now: u64, draining: u32): void {
  streams.tick(now, draining != 0);
  flush();
}
/** Envoy has deleted the connection. */
export function closed(context: u32): void {
  open.get(context).closed();
  open.delete(context);
}
export function held(): u32 {
  return streams.held;
}
export function collect(): void {
  __collect();
}

export function newReader(): void {
  reader.free();
  reader = new HeaderReader(4096);
}
/** -1: no header block; otherwise 1: malformed, 2: too large. */
export function read(length: u32): i32 {
  if (!reader.read(input, length)) return -1;
  return (request.isMalformed ? 1 : 0) | (request.isTooLarge ? 2 : 0);
}
/** Method, path, content-type or content-length of the block, at `outputAt`; -1 where there is none. */
export function field(index: u32): i32 {
  const value =
    index == 0 ? request.method : index == 1 ? request.path : index == 2 ? request.contentType : request.contentLength;
  if (value.at == 0) return -1;
  memory.copy(output, value.at, value.length);
  return value.length;
}
