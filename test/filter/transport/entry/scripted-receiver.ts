// @ts-nocheck AssemblyScript.
/** A receiver that does what the test says: answers each query with itself at once, holds it, or drops it. */
import { Channel, Receiver } from "../../../../filter/transport/channel";
import { Peer } from "../../../../filter/transport/peer";

class Held {
  channel: Channel | null = null;
  ticket: u32 = 0;
  at: usize = 0;
  length: u32 = 0;
}

/** Octets to answer with. */
export const large: usize = heap.alloc(65536);

export class ScriptedReceiver extends Receiver {
  /** 0 answers at once, 1 holds, 2 drops, 3 answers with `size` octets. */
  mode: u32 = 0;
  size: u32 = 0;
  ttl: u32 = 0;
  received: u32 = 0;
  /** Octets of the last query, and the path that it came by. */
  length: u32 = 0;
  path: ArrayBuffer = new ArrayBuffer(0);
  readonly held: Array<Held> = new Array<Held>();

  receive(channel: Channel, ticket: u32, peer: Peer, message: usize, length: u32): void {
    this.received++;
    this.length = length;
    const evidence = peer.evidence;
    if (evidence !== null) this.path = evidence.path;
    if (this.mode == 0) channel.send(ticket, message, length, this.ttl);
    else if (this.mode == 2) channel.drop(ticket);
    else if (this.mode == 3) channel.send(ticket, large, this.size, this.ttl);
    else {
      const held = new Held();
      held.channel = channel;
      held.ticket = ticket;
      held.at = heap.alloc(length);
      held.length = length;
      memory.copy(held.at, message, length);
      this.held.push(held);
    }
  }

  /** Answers as many of the queries that are held, last or first come; or drops them. */
  answerHeld(count: u32, lastFirst: bool, dropping: bool): void {
    for (let i: u32 = 0; i < count && this.held.length > 0; i++) {
      const held = lastFirst ? this.held.pop() : this.held.shift();
      const channel = held.channel;
      if (channel !== null) {
        if (dropping) channel.drop(held.ticket);
        else channel.send(held.ticket, held.at, held.length, this.ttl);
      }
      heap.free(held.at);
    }
  }
}
