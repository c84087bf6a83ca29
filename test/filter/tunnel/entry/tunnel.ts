// @ts-nocheck AssemblyScript.
/**
 * Tunnel connections with a receiver that does what the test says: answers each query with itself at once, holds it, or
 * drops it.
 */
import { flush } from "../../../../filter/host/outbox";
import { Channel, Receiver } from "../../../../filter/transport/channel";
import { Listener } from "../../../../filter/transport/evidence";
import { HeaderReader, request } from "../../../../filter/transport/http2/header-block";
import { decodeHuffman } from "../../../../filter/transport/http2/huffman";
import { Peer } from "../../../../filter/transport/peer";
import { parseAddress } from "../../../../filter/transport/tunnel/address";
import { TunnelConnection, TunnelLimits } from "../../../../filter/transport/tunnel/connection";
import { tunnelCounters } from "../../../../filter/transport/tunnel/counters";

class Held {
  channel: Channel | null = null;
  ticket: u32 = 0;
  at: usize = 0;
  length: u32 = 0;
}

class Scripted extends Receiver {
  /** 0 answers at once, 1 holds, 2 drops, 3 answers with `size` octets. */
  mode: u32 = 0;
  size: u32 = 0;
  received: u32 = 0;
  octets: u64 = 0;
  high: u64 = 0;
  low: u64 = 0;
  readonly held: Array<Held> = new Array<Held>();

  receive(channel: Channel, ticket: u32, peer: Peer, message: usize, length: u32): void {
    this.received++;
    this.octets += length;
    this.high = peer.high;
    this.low = peer.low;
    if (this.mode == 0) channel.send(ticket, message, length, 0);
    else if (this.mode == 2) channel.drop(ticket);
    else if (this.mode == 3) channel.send(ticket, large, this.size, 0);
    else {
      const held = new Held();
      held.channel = channel;
      held.ticket = ticket;
      held.at = heap.alloc(length + 1);
      held.length = length;
      memory.copy(held.at, message, length);
      this.held.push(held);
    }
  }
}

const INPUT: usize = 1 << 20;
const input: usize = heap.alloc(INPUT);
const large: usize = heap.alloc(65536);
const output: usize = heap.alloc(65536);
const limits = new TunnelLimits();
const listener = new Listener(0, "udp", "");
const receiver = new Scripted();
const peer = new Peer();
const reader = new HeaderReader(0);
const connections = new Map<u32, TunnelConnection>();

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return output;
}
export function setLimits(sessions: u32, perSource: u32, keepAlive: u64): void {
  limits.sessions = sessions;
  limits.perSource = perSource;
  limits.keepAlive = keepAlive;
}
export function setMode(mode: u32, size: u32): void {
  receiver.mode = mode;
  receiver.size = size;
}
export function received(): u32 {
  return receiver.received;
}
export function octets(): u64 {
  return receiver.octets;
}
export function high(): u64 {
  return receiver.high;
}
export function low(): u64 {
  return receiver.low;
}
export function connect(context: u32): void {
  connections.set(context, new TunnelConnection(context, listener, receiver, limits));
}
/** The octets at `inputAt`. */
export function receive(context: u32, length: u32, now: u64): u32 {
  const isSound = connections.get(context).receive(input, length, now);
  flush();
  return isSound ? 1 : 0;
}
export function answerHeld(): u32 {
  const count = receiver.held.length;
  for (let i = 0; i < count; i++) {
    const held = receiver.held[i];
    const channel = held.channel;
    if (channel !== null) channel.send(held.ticket, held.at, held.length, 0);
    heap.free(held.at);
  }
  receiver.held.length = 0;
  flush();
  return count;
}
export function tick(context: u32, now: u64): void {
  connections.get(context).tick(now);
  flush();
}
export function end(context: u32): void {
  connections.get(context).end();
}
export function closed(context: u32): void {
  connections.get(context).closed();
  connections.delete(context);
}
export function collect(): void {
  __collect();
}
export function huffman(length: u32, capacity: u32): i32 {
  return decodeHuffman(input, length, output, capacity);
}
/** -1: malformed; otherwise the length of `x-src`, which is at `outputAt`. */
export function header(length: u32): i32 {
  if (!reader.read(input, length)) return -1;
  if (request.isMalformed) return 0;
  memory.copy(output, request.source.at, request.source.length);
  return request.source.length;
}
/** Whether it is an address; its number is then `addressHigh`, `addressLow`. */
export function address(length: u32): u32 {
  peer.clearPeer();
  return parseAddress(input, length, peer) ? (peer.isIPv4 ? 4 : 6) : 0;
}
export function addressHigh(): u64 {
  return peer.high;
}
export function addressLow(): u64 {
  return peer.low;
}
/** In the order of their declaration. */
export function counter(index: u32): u64 {
  const counters = tunnelCounters;
  if (index == 0) return counters.sessionsOpened;
  if (index == 1) return counters.sessionsEnded;
  if (index == 2) return counters.sessionsLingered;
  if (index == 3) return counters.sessionsEvicted;
  if (index == 4) return counters.sessionsRefused;
  if (index == 5) return counters.datagramsReceived;
  if (index == 6) return counters.datagramsSent;
  if (index == 7) return counters.datagramsDropped;
  if (index == 8) return counters.datagramsLate;
  if (index == 9) return counters.datagramsMalformed;
  if (index == 10) return counters.capsulesSkipped;
  return counters.connectionErrors;
}
