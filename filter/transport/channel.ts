// The two faces between transports and the flow: a transport hands a Receiver messages, and the flow answers each, now
// or later, through the Channel that it came by.

import { Peer } from "./peer";

/** A connection that answers go back through. */
export abstract class Channel {
  /** proxy-wasm context of the connection or HTTP request. */
  context: u32;
  /** Whether answers can still be sent; after that `send` does nothing. */
  open: bool = true;

  constructor(context: u32) {
    this.context = context;
  }

  /**
   * Sends the answer to the message that was received with this ticket. `message` is only read during the call;
   * `minimumTtl` is the least TTL in it, in seconds.
   */
  abstract send(ticket: u32, message: usize, length: u32, minimumTtl: u32): void;

  /** The message that was received with this ticket gets no answer. */
  abstract drop(ticket: u32): void;
}

/** Takes DNS messages from transports. */
export abstract class Receiver {
  /** `message` is only valid during the call. */
  abstract receive(channel: Channel, ticket: u32, peer: Peer, message: usize, length: u32): void;
}
