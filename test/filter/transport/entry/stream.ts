// @ts-nocheck AssemblyScript.
/** Streams with a receiver that does what the test says: answers each query with itself at once, holds it, or drops it. */
import { flush } from "../../../../filter/host/outbox";
import { Channel, Receiver } from "../../../../filter/transport/channel";
import {
  Evidence,
  internEvidence,
  Listener,
  path,
  principal,
  serverName,
  setSpan,
} from "../../../../filter/transport/evidence";
import { Peer } from "../../../../filter/transport/peer";
import { Stream, StreamLimits, Streams } from "../../../../filter/transport/stream";

class Held {
  channel: Channel | null = null;
  at: usize = 0;
  length: u32 = 0;
}

class Scripted extends Receiver {
  /** 0 answers at once, 1 holds, 2 drops, 3 answers with `size` octets. */
  mode: u32 = 0;
  size: u32 = 0;
  received: u32 = 0;
  readonly held: Array<Held> = new Array<Held>();

  receive(channel: Channel, ticket: u32, peer: Peer, message: usize, length: u32): void {
    this.received++;
    if (this.mode == 0) channel.send(ticket, message, length, 0);
    else if (this.mode == 2) channel.drop(ticket);
    else if (this.mode == 3) channel.send(ticket, large, this.size, 0);
    else {
      const held = new Held();
      held.channel = channel;
      held.at = heap.alloc(length);
      held.length = length;
      memory.copy(held.at, message, length);
      this.held.push(held);
    }
  }
}

const input: usize = heap.alloc(1 << 20);
const large: usize = heap.alloc(65536);
let receiver = new Scripted();
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
  receiver = new Scripted();
  open.clear();
}
export function setMode(mode: u32, size: u32): void {
  receiver.mode = mode;
  receiver.size = size;
}
export function connect(context: u32, now: u64): void {
  open.set(context, new Stream(context, streams, receiver, now));
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
  for (let i: u32 = 0; i < count && receiver.held.length > 0; i++) {
    const held = lastFirst ? receiver.held.pop() : receiver.held.shift();
    const channel = held.channel;
    if (channel !== null) {
      if (dropping) channel.drop(0);
      else channel.send(0, held.at, held.length, 0);
    }
    heap.free(held.at);
  }
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
/** Octets that wait in all streams. */
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
