// The servers of an upstream and how they fare. A server is an Envoy cluster with one endpoint, so choice, health and retry
// are made here; a server that did not change keeps its state across revisions.

import { Text } from "../host/host";

/** Upstream.Protocol of protos/sync.proto. */
export const enum Protocol {
  DoT = 0,
  Tcp = 1,
  DoH = 2,
  DoH3 = 3,
}

/** A server that fails is left alone for this long, twice as long after each failure more, in microseconds. */
const FIRST_BACKOFF: u64 = 100_000;
const MAX_BACKOFF: u64 = 1_000_000;
/** Failures in a row after which a server that could be reached counts as away. */
const FAILURES: u32 = 3;
/** Queries that may be under way to a server that is away, so that its return is seen at once. */
const PROBES: u32 = 16;
export class Server {
  /** Tries under way. */
  underWay: u32 = 0;
  private failures: u32 = 0;
  private backoff: u64 = 0;
  /** Monotonic microseconds until which it is left alone. */
  private awayUntil: u64 = 0;

  constructor(
    readonly cluster: Text,
    readonly authority: Text,
    readonly path: Text,
  ) {}

  isAway(now: u64): bool {
    return now < this.awayUntil;
  }

  succeeded(): void {
    this.failures = 0;
    this.backoff = 0;
    this.awayUntil = 0;
  }

  /** `reached`: it was there, but did not answer. */
  failed(now: u64, reached: bool): void {
    this.failures++;
    if (reached && this.failures < FAILURES) return;
    if (this.isAway(now)) return;
    this.backoff = this.backoff == 0 ? FIRST_BACKOFF : min(this.backoff * 2, MAX_BACKOFF);
    this.awayUntil = now + this.backoff;
  }
}

export class Upstream {
  readonly servers: Array<Server> = new Array<Server>();
  /** Envoy's histogram of its latencies. */
  latencyMetric: u32 = 0;

  constructor(
    readonly number: u32,
    readonly name: Text,
    readonly protocol: Protocol,
    readonly ecs: bool,
  ) {}

  get isHttp(): bool {
    return this.protocol == Protocol.DoH || this.protocol == Protocol.DoH3;
  }

  get isEncrypted(): bool {
    return this.protocol != Protocol.Tcp;
  }

  /**
   * The first server in order of preference that is not away, another than `last` if there is one; where all are away,
   * one that few queries are tried with; null where there is none.
   */
  choose(now: u64, last: Server | null): Server | null {
    let second: Server | null = null;
    let probed: Server | null = null;
    for (let i = 0; i < this.servers.length; i++) {
      const server = unchecked(this.servers[i]);
      if (server.isAway(now)) {
        if (server.underWay < PROBES && (probed === null || probed === last)) probed = server;
        continue;
      }
      if (server !== last) return server;
      second = server;
    }
    return second !== null ? second : probed;
  }
}
