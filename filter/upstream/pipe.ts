// A pipe is one TLS or TCP connection to a server, held by Envoy behind a gRPC stream: what is sent into the stream is
// framed for DNS over TCP on its way out, and answers come back as gRPC messages (design in ARCHITECTURE.md). Queries
// are pipelined and told apart by random ids (RFC 7766, section 6.2.1).

import { grpcCancel, grpcSend, grpcStream, Headers, random16, Text } from "../host/host";
import { Exchange } from "./exchange";
import { Server } from "./server";

/** Queries on one connection that wait for an answer. */
export const MAX_OUTSTANDING: u32 = 1000;
const BUCKETS: u32 = 1024;

const CLUSTER = new Text("dns_pipe");
const SERVICE = new Text("dns");
const METHOD = new Text("pipe");
const UPSTREAM_CLUSTER = new Text("x-dns-cluster");
const metadata = new Headers(1024);

@final
export class Pipe {
  /** The gRPC stream; 0 is closed. */
  token: u32 = 0;
  outstanding: u32 = 0;
  /** Answers since it was opened. */
  answered: u32 = 0;
  /** Monotonic microseconds of the last answer. */
  answeredAt: u64 = 0;
  private readonly byId: StaticArray<Exchange | null> = new StaticArray<Exchange | null>(BUCKETS);

  constructor(readonly server: Server) {}

  /** Whether the stream could be opened; that says nothing of the server yet. */
  open(): bool {
    metadata.clear();
    metadata.addText(UPSTREAM_CLUSTER, this.server.cluster);
    this.token = grpcStream(CLUSTER, SERVICE, METHOD, metadata);
    this.answered = 0;
    return this.token != 0;
  }

  close(): void {
    if (this.token != 0) grpcCancel(this.token);
    this.token = 0;
  }

  get hasRoom(): bool {
    return this.outstanding < MAX_OUTSTANDING;
  }

  /** An id that no query under way on this pipe has. */
  freeId(): u32 {
    let id = random16();
    while (this.find(id) !== null) id = random16();
    return id;
  }

  /** Sends a query; the exchange is then outstanding. */
  send(exchange: Exchange, message: usize, length: u32): bool {
    if (!grpcSend(this.token, message, length)) return false;
    const bucket = exchange.asked.id & (BUCKETS - 1);
    exchange.nextById = unchecked(this.byId[bucket]);
    unchecked((this.byId[bucket] = exchange));
    exchange.pipe = this;
    this.outstanding++;
    return true;
  }

  find(id: u32): Exchange | null {
    let exchange = unchecked(this.byId[id & (BUCKETS - 1)]);
    while (exchange !== null && exchange.asked.id != id) exchange = exchange.nextById;
    return exchange;
  }

  remove(exchange: Exchange): void {
    const bucket = exchange.asked.id & (BUCKETS - 1);
    let before: Exchange | null = null;
    let at = unchecked(this.byId[bucket]);
    while (at !== null && at !== exchange) {
      before = at;
      at = at.nextById;
    }
    if (at === null) return;
    if (before !== null) before.nextById = exchange.nextById;
    else unchecked((this.byId[bucket] = exchange.nextById));
    exchange.nextById = null;
    exchange.pipe = null;
    this.outstanding--;
  }

  /** Any outstanding exchange from bucket `from` on, or null. */
  anyFrom(from: u32): Exchange | null {
    for (let bucket = from; bucket < BUCKETS; bucket++) {
      const exchange = unchecked(this.byId[bucket]);
      if (exchange !== null) return exchange;
    }
    return null;
  }
}
