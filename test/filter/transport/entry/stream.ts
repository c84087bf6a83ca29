// @ts-nocheck AssemblyScript.
/** Streams with a receiver that does what the test says: answers each query with itself at once, holds it, or drops it. */
import { flush } from "../../../../filter/host/outbox";
import { DnsStream } from "../../../../filter/transport/dns-stream";
import {
  Evidence,
  internEvidence,
  Listener,
  path,
  principal,
  serverName,
  setSpan,
} from "../../../../filter/transport/evidence";
import { Stream, StreamLimits, Streams } from "../../../../filter/transport/stream";
import { large, ScriptedReceiver } from "./scripted-receiver";

const input: usize = heap.alloc(1 << 20);
let receiver = new ScriptedReceiver();
let limits = new StreamLimits();
let streams = new Streams(limits);
const open = new Map<u32, Stream>();

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return large;
}
/** All anew. Times are in microseconds. */
export function begin(idle: u64, reading: u64, lifetime: u64, inFlight: u32, octets: u32, outputPerTick: u32): void {
  limits = new StreamLimits();
  limits.idle = idle;
  limits.reading = reading;
  limits.lifetime = lifetime;
  limits.inFlight = inFlight;
  limits.input = octets;
  limits.outputPerTick = outputPerTick;
  streams = new Streams(limits);
  receiver = new ScriptedReceiver();
  open.clear();
}
export function setMode(mode: u32, size: u32): void {
  receiver.mode = mode;
  receiver.size = size;
}
export function connect(context: u32, now: u64): void {
  open.set(context, new DnsStream(context, streams, receiver, now));
}
/** The octets at `inputAt`; whether the stream is still open. */
export function receive(context: u32, length: u32, now: u64): u32 {
  const stream = open.get(context);
  stream.receive(input, length, now);
  flush();
  return stream.open ? 1 : 0;
}
export function isOpen(context: u32): u32 {
  return open.get(context).open ? 1 : 0;
}
export function received(): u32 {
  return receiver.received;
}
export function heldQueries(): u32 {
  return receiver.held.length;
}
/** Answers as many of the queries that are held, last or first come; or drops them. */
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
/** Octets of memory that all streams hold. */
export function waiting(): u32 {
  return streams.held;
}
export function streamCount(): u32 {
  return streams.list.length;
}
export function collect(): void {
  __collect();
}

const listeners: StaticArray<Listener> = [new Listener(2, "dot", ""), new Listener(3, "doh", "")];
let last: Evidence | null = null;
/** The evidence of a listener: principal, server name and path stand one after the other at `inputAt`. */
export function evidence(listener: u32, principalLength: u32, serverNameLength: u32, pathLength: u32): u32 {
  setSpan(principal, input, principalLength);
  setSpan(serverName, input + principalLength, serverNameLength);
  setSpan(path, input + principalLength + serverNameLength, pathLength);
  const found = internEvidence(listeners[listener]);
  last = found;
  return found.number;
}
/** Its number where only some kinds are of interest. */
export function relevantNumber(relevant: u32): u32 {
  const evidence = last;
  return evidence === null ? 0 : evidence.numberOf(relevant);
}
export function listenerNumber(listener: u32): u32 {
  return listeners[listener].evidence.number;
}
