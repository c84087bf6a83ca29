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

/** Upstream.Strategy of protos/sync.proto. */
export const enum Strategy {
  Ordered = 0,
  RoundRobin = 1,
  Fastest = 2,
  Race = 3,
}

/** A server that fails is left alone for this long, twice as long after each failure more, in microseconds. */
const FIRST_BACKOFF: u64 = 100_000;
const MAX_BACKOFF: u64 = 1_000_000;
/** Failures in a row after which a server that could be reached counts as away. */
const FAILURES: u32 = 3;
/** Queries that may be under way to a server that is away, so that its return is seen at once. */
const PROBES: u32 = 16;
/** One choice in so many tries whoever is next in turn, so that a server that has become faster is found out. */
const EXPLORE: u32 = 32;
/** A server that a health check found ill is left alone until it is found well, or for so many checks. */
const MISSED_CHECKS: u64 = 2;

export class Server {
  /** Tries under way. */
  underWay: u32 = 0;
  private failures: u32 = 0;
  private backoff: u64 = 0;
  /** Monotonic microseconds until which it is left alone. */
  private awayUntil: u64 = 0;
  /** Smoothed time to an answer in microseconds (RFC 6298, section 2); 0 is not known. */
  latency: u64 = 0;
  /** Monotonic microseconds of the next health check. */
  checkAt: u64 = 0;

  constructor(
    readonly cluster: Text,
    readonly authority: Text,
    readonly path: Text,
  ) {}

  isAway(now: u64): bool {
    return now < this.awayUntil;
  }

  /** It answered after so many microseconds. */
  succeeded(latency: u64): void {
    this.failures = 0;
    this.backoff = 0;
    this.awayUntil = 0;
    this.measured(latency);
  }

  /** An answer took, or no answer came for, so many microseconds. */
  measured(latency: u64): void {
    this.latency = this.latency == 0 ? max(latency, 1) : (this.latency * 7 + latency) >> 3;
  }

  /** A health check found it ill. */
  isIll(now: u64, interval: u64): void {
    this.awayUntil = now + interval * MISSED_CHECKS;
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
  /** Of each server: those of a greater number are asked only while all of a smaller one are away. */
  readonly priorities: Array<u32> = new Array<u32>();
  strategy: Strategy = Strategy.Ordered;
  isPadded: bool = true;
  /** It is told of the traces that queries are part of. */
  traceContext: bool = false;
  /** Microseconds between health checks, 0 for none, and the name that they ask for, in wire format. */
  checkInterval: u64 = 0;
  checkName: ArrayBuffer = new ArrayBuffer(0);
  /** Envoy's histogram of its latencies. */
  latencyMetric: u32 = 0;
  private turn: u32 = 0;

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
   * The server to ask: of those that are not away the one that priority and strategy prefer, another than `last` if there
   * is one; where all are away, one that few queries are tried with; null where there is none.
   */
  choose(now: u64, last: Server | null): Server | null {
    const count = this.servers.length;
    if (count == 0) return null;
    const strategy = this.strategy;
    const turn = strategy == Strategy.Ordered ? 0 : this.turn++;
    const bySpeed = strategy == Strategy.Race || (strategy == Strategy.Fastest && turn % EXPLORE != 0);
    let at = strategy == Strategy.Ordered ? 0 : <i32>(turn % count);
    let best: Server | null = null;
    let bestPriority: u32 = 0;
    let second: Server | null = null;
    let probed: Server | null = null;
    for (let i = 0; i < count; i++) {
      const server = unchecked(this.servers[at]);
      const priority = unchecked(this.priorities[at]);
      if (++at == count) at = 0;
      if (server.isAway(now)) {
        if (server.underWay < PROBES && (probed === null || probed === last)) probed = server;
      } else if (server === last) {
        second = server;
      } else if (best === null || priority < bestPriority) {
        best = server;
        bestPriority = priority;
      } else if (bySpeed && priority == bestPriority && server.latency < best.latency) {
        best = server;
      }
    }
    if (best !== null) return best;
    return second !== null ? second : probed;
  }
}
