/**
 * What is counted of queries in one cell of time.
 */
import { ConnectionTally } from "./connection-tally.ts";
import { LatencySketch } from "./latency-sketch.ts";
import { MirrorTally } from "./mirror-tally.ts";
import type { Packer, Unpacker } from "./packing.ts";
import type { Counts, Share } from "./questions.ts";
import { TopList } from "./top-list.ts";
import { UniqueCount } from "./unique-count.ts";

/** Outcomes in the order of sync.proto, then cache results from HIT on, then audits. */
const QUERIES = 0;
const OUTCOMES = 1;
const LAST_OUTCOME = 6;
/** HIT is 1; PREFETCH is a hit, too. */
const HIT = 1;
const PREFETCH = 4;
const CACHE = 7;
const LAST_CACHE = 3;
const WOULD_DENY = 11;
const COUNTERS = 12;

export class CountTally {
  readonly #counts = new Float64Array(COUNTERS);
  readonly latency = new LatencySketch();

  /** `outcome` and `cache` as sync.proto numbers them. */
  add(outcome: number, cache: number, wouldDeny: boolean, microseconds: number): void {
    this.#increment(QUERIES);
    if (outcome <= LAST_OUTCOME) this.#increment(OUTCOMES + outcome);
    if (cache > 0 && cache <= LAST_CACHE) this.#increment(CACHE + cache);
    if (cache === PREFETCH) this.#increment(CACHE + HIT);
    if (wouldDeny) this.#increment(WOULD_DENY);
    this.latency.add(microseconds);
  }

  merge(other: CountTally): void {
    for (let i = 0; i < COUNTERS; i++) this.#counts[i] = (this.#counts[i] ?? 0) + (other.#counts[i] ?? 0);
    this.latency.merge(other.latency);
  }

  pack(to: Packer): void {
    for (const count of this.#counts) to.number(count);
    this.latency.pack(to);
  }

  mergePacked(from: Unpacker): void {
    for (let i = 0; i < COUNTERS; i++) this.#counts[i] = (this.#counts[i] ?? 0) + from.number();
    this.latency.mergePacked(from);
  }

  get counts(): Counts {
    const [queries = 0, forwarded = 0, denied = 0, rejected = 0, failed = 0] = this.#counts;
    const [faulted = 0, answered = 0, limited = 0] = this.#counts.slice(OUTCOMES + 4);
    const [hits = 0, misses = 0, stale = 0, wouldDeny = 0] = this.#counts.slice(CACHE + 1);
    return { queries, forwarded, denied, rejected, failed, faulted, answered, limited, hits, misses, stale, wouldDeny };
  }

  #increment(index: number): void {
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }
}

export class Shares {
  readonly #counts = new Map<string, number>();

  add(key: string, count = 1): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  merge(other: Shares): void {
    for (const [key, count] of other.#counts) this.add(key, count);
  }

  pack(to: Packer): void {
    to.number(this.#counts.size);
    for (const [key, count] of this.#counts) {
      to.text(key);
      to.number(count);
    }
  }

  mergePacked(from: Unpacker): void {
    for (let left = from.number(); left > 0; left--) this.add(from.text(), from.number());
  }

  get list(): Share[] {
    return [...this.#counts].map(([key, count]) => ({ key, count })).sort((a, b) => b.count - a.count);
  }
}

/** Servers of one upstream that are told apart. */
const MAX_SERVERS = 100;

/** Of one upstream. */
export class UpstreamTally {
  queries = 0;
  failed = 0;
  stale = 0;
  readonly latency = new LatencySketch();
  /** By cluster. */
  readonly servers = new Map<string, ServerTally>();

  /** Undefined for one too many. */
  server(cluster: string): ServerTally | undefined {
    const known = this.servers.get(cluster);
    if (known !== undefined || this.servers.size >= MAX_SERVERS) return known;
    const tally = new ServerTally();
    this.servers.set(cluster, tally);
    return tally;
  }

  merge(other: UpstreamTally): void {
    this.queries += other.queries;
    this.failed += other.failed;
    this.stale += other.stale;
    this.latency.merge(other.latency);
    for (const [cluster, tally] of other.servers) this.server(cluster)?.merge(tally);
  }

  pack(to: Packer): void {
    for (const count of [this.queries, this.failed, this.stale]) to.number(count);
    this.latency.pack(to);
    to.number(this.servers.size);
    for (const [cluster, tally] of this.servers) {
      to.text(cluster);
      tally.pack(to);
    }
  }

  mergePacked(from: Unpacker): void {
    this.queries += from.number();
    this.failed += from.number();
    this.stale += from.number();
    this.latency.mergePacked(from);
    for (let left = from.number(); left > 0; left--) {
      const server = this.server(from.text()) ?? new ServerTally();
      server.mergePacked(from);
    }
  }
}

/** Of one server: the answers that it gave. */
export class ServerTally {
  answers = 0;
  readonly latency = new LatencySketch();

  add(microseconds: number): void {
    this.answers++;
    this.latency.add(microseconds);
  }

  merge(other: ServerTally): void {
    this.answers += other.answers;
    this.latency.merge(other.latency);
  }

  pack(to: Packer): void {
    to.number(this.answers);
    this.latency.pack(to);
  }

  mergePacked(from: Unpacker): void {
    this.answers += from.number();
    this.latency.mergePacked(from);
  }
}

/** What takes more room, and is kept in fewer cells: who and what, not only how much. */
export class DetailTally {
  readonly names: TopList;
  readonly denied: TopList;
  readonly audited: TopList;
  readonly clients: TopList;
  readonly zones: TopList;
  readonly uniqueNames = new UniqueCount();
  readonly uniqueClients = new UniqueCount();
  readonly rcodes = new Shares();
  readonly types = new Shares();
  readonly transports = new Shares();
  readonly upstreams = new Map<string, UpstreamTally>();
  readonly connections: ConnectionTally;
  readonly mirrors: MirrorTally;

  /** So many keys a list. */
  constructor(capacity: number) {
    this.names = new TopList(capacity);
    this.denied = new TopList(capacity);
    this.audited = new TopList(capacity);
    this.clients = new TopList(capacity);
    this.zones = new TopList(capacity);
    this.connections = new ConnectionTally(capacity);
    this.mirrors = new MirrorTally(capacity);
  }

  upstream(name: string): UpstreamTally {
    let tally = this.upstreams.get(name);
    if (tally === undefined) {
      tally = new UpstreamTally();
      this.upstreams.set(name, tally);
    }
    return tally;
  }

  merge(other: DetailTally): void {
    for (const list of ["names", "denied", "audited", "clients", "zones"] as const) this[list].merge(other[list]);
    this.uniqueNames.merge(other.uniqueNames);
    this.uniqueClients.merge(other.uniqueClients);
    for (const shares of ["rcodes", "types", "transports"] as const) this[shares].merge(other[shares]);
    for (const [name, tally] of other.upstreams) this.upstream(name).merge(tally);
    this.connections.merge(other.connections);
    this.mirrors.merge(other.mirrors);
  }

  pack(to: Packer): void {
    for (const part of this.#parts) part.pack(to);
    to.number(this.upstreams.size);
    for (const [name, tally] of this.upstreams) {
      to.text(name);
      tally.pack(to);
    }
  }

  mergePacked(from: Unpacker): void {
    for (const part of this.#parts) part.mergePacked(from);
    for (let left = from.number(); left > 0; left--) this.upstream(from.text()).mergePacked(from);
  }

  get #parts() {
    return [
      ...[this.names, this.denied, this.audited, this.clients, this.zones],
      ...[this.uniqueNames, this.uniqueClients],
      ...[this.rcodes, this.types, this.transports],
      ...[this.connections, this.mirrors],
    ];
  }
}
