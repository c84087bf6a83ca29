// A pipe is one TLS or TCP connection to a server, held by Envoy behind a gRPC stream: what is sent into the stream is
// framed for DNS over TCP on its way out, and answers come back as gRPC messages (design in ARCHITECTURE.md). Queries
// are pipelined and told apart by random ids (RFC 7766, section 6.2.1).

import { GrpcStream, Headers, random16, Text } from "../host/host";
import { Server } from "./server";

/** Queries on one connection that wait for an answer. */
export const MAX_OUTSTANDING: u32 = 1000;
/** Connections to one server from one worker. */
export const MAX_PIPES: i32 = 4;
const BUCKETS: u32 = 1024;

const CLUSTER = new Text("dns_pipe");
const SERVICE = new Text("dns");
const METHOD = new Text("pipe");
const UPSTREAM_CLUSTER = new Text("x-dns-cluster");
const metadata = new Headers(1024);

/** A query that waits for an answer on a pipe. */
export abstract class Outstanding {
  /** Message id, unique on the pipe. */
  id: u32 = 0;
  pipe: Pipe | null = null;
  nextById: Outstanding | null = null;
}

@final
export class Pipe {
  readonly stream: GrpcStream = new GrpcStream();
  outstanding: u32 = 0;
  /** Answers since it was opened. */
  answered: u32 = 0;
  /** Monotonic microseconds of the last answer. */
  answeredAt: u64 = 0;
  private readonly byId: StaticArray<Outstanding | null> = new StaticArray<Outstanding | null>(BUCKETS);

  constructor(readonly server: Server) {}

  /** Whether the stream could be opened; that says nothing of the server yet. */
  open(): bool {
    metadata.clear();
    metadata.addText(UPSTREAM_CLUSTER, this.server.cluster);
    this.answered = 0;
    return this.stream.open(CLUSTER, SERVICE, METHOD, metadata);
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

  /** Sends a query, with its id in it; it is then outstanding. */
  send(query: Outstanding, message: usize, length: u32): bool {
    if (!this.stream.send(message, length)) return false;
    const bucket = bucketOf(query.id);
    query.nextById = unchecked(this.byId[bucket]);
    unchecked((this.byId[bucket] = query));
    query.pipe = this;
    this.outstanding++;
    return true;
  }

  find(id: u32): Outstanding | null {
    let query = unchecked(this.byId[bucketOf(id)]);
    while (query !== null && query.id != id) query = query.nextById;
    return query;
  }

  remove(query: Outstanding): void {
    const bucket = bucketOf(query.id);
    let before: Outstanding | null = null;
    let at = unchecked(this.byId[bucket]);
    while (at !== null && at !== query) {
      before = at;
      at = at.nextById;
    }
    if (at === null) return;
    if (before !== null) before.nextById = query.nextById;
    else unchecked((this.byId[bucket] = query.nextById));
    query.nextById = null;
    query.pipe = null;
    this.outstanding--;
  }

  /** Any outstanding query with a bucket from `from` on, or null; `bucketOf` tells its bucket. */
  anyFrom(from: u32): Outstanding | null {
    for (let bucket = from; bucket < BUCKETS; bucket++) {
      const query = unchecked(this.byId[bucket]);
      if (query !== null) return query;
    }
    return null;
  }
}

export function bucketOf(id: u32): u32 {
  return id & (BUCKETS - 1);
}
