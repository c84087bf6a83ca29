// DNS over TCP and TLS (RFC 7766, RFC 7858): messages with a length before each, many at a time, answered in any order.

import { commit, reserve } from "../host/outbox";
import { HEADER_SIZE, read16, write16 } from "../wire/types";
import { Receiver } from "./channel";
import { Stream, Streams } from "./stream";

const LENGTH: u32 = 2;

@final
export class DnsStream extends Stream {
  constructor(
    context: u32,
    streams: Streams,
    private readonly receiver: Receiver,
    now: u64,
  ) {
    super(context, streams, now);
  }

  protected unitSize(at: usize, available: u32): u32 {
    if (available < LENGTH) return LENGTH;
    const size = read16(at);
    // Nothing that short is a message: whoever speaks is not speaking DNS.
    return size < HEADER_SIZE ? 0 : LENGTH + size;
  }

  protected mayRead(): bool {
    return super.mayRead() && this.inFlight < this.streams.limits.inFlight;
  }

  protected take(at: usize, size: u32): void {
    this.inFlight++;
    this.receiver.receive(this, 0, this.peer, at + LENGTH, size - LENGTH);
  }

  send(_ticket: u32, message: usize, length: u32, _minimumTtl: u32): void {
    if (!this.open) return;
    const out = reserve(this.context, LENGTH + length);
    write16(out, length);
    memory.copy(out + LENGTH, message, length);
    commit(LENGTH + length);
    this.wrote(LENGTH + length);
    this.inFlight--;
  }

  drop(_ticket: u32): void {
    this.inFlight--;
  }
}
