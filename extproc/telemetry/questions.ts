/**
 * What may be asked of telemetry, and what it answers: the words that the HTTP API, the command line and the page share.
 */
import type { EventCounts } from "./metrics.ts";

/** How far back, from now. */
export const WINDOWS = ["1m", "15m", "1h", "6h", "24h", "7d"] as const;
export type Window = (typeof WINDOWS)[number];

/** What a list of the most frequent is of. */
export const TOP_KINDS = ["names", "denied", "audited", "clients", "zones"] as const;
export type TopKind = (typeof TOP_KINDS)[number];

/** Times of answers are those of RFC 3339 in UTC. */
export interface Span {
  readonly window: Window;
  readonly from: string;
  readonly to: string;
}

/** Queries by what became of them: `forwarded` to `limited` add up to `queries`, and so do cache results and `uncached`. */
export interface Counts {
  readonly queries: number;
  readonly forwarded: number;
  readonly denied: number;
  readonly rejected: number;
  readonly failed: number;
  readonly faulted: number;
  readonly answered: number;
  readonly limited: number;
  readonly hits: number;
  readonly misses: number;
  readonly stale: number;
  /** Met by a rule in mode Audit that would have denied them. */
  readonly wouldDeny: number;
}

/** Milliseconds, true to a few hundredths of themselves. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface Summary extends Counts {
  /** Of a second. */
  readonly rate: number;
  /** Undefined without a query. */
  readonly latencyMs?: Latency;
  /** Estimates, true to a few hundredths. */
  readonly uniqueNames: number;
  readonly uniqueClients: number;
  /** Most frequent first. */
  readonly rcodes: readonly Share[];
  readonly types: readonly Share[];
  readonly transports: readonly Share[];
}

export interface Share {
  readonly key: string;
  readonly count: number;
}

export interface TenantSummary extends Summary {
  /** Empty for clients that are no tenant's. */
  readonly tenant: string;
}

/** What one compares with the time before. */
export interface Trend {
  readonly queries: number;
  readonly denied: number;
  readonly failed: number;
  readonly wouldDeny: number;
}

export interface Overview extends Span {
  readonly all: Summary;
  /**
   * Of the window's whole cells of time, and of as many before them; undefined where so much is not kept, or the service has
   * not run for so long.
   */
  readonly trend?: { readonly last: Trend; readonly before: Trend };
  /** Most queries first. */
  readonly tenants: readonly TenantSummary[];
  /** Events that were lost on the way since the service runs: figures here are too low by as many. */
  readonly lost: number;
  /** Whether workers send every query, or only what is to be logged. */
  readonly events: "All" | "Logged";
  /** Whether there is a store for past queries. */
  readonly store: boolean;
}

/** Columns, one value for each of `times`. */
export interface SeriesColumns {
  readonly queries: readonly number[];
  readonly denied: readonly number[];
  readonly failed: readonly number[];
  readonly wouldDeny: readonly number[];
  readonly hits: readonly number[];
  readonly misses: readonly number[];
  /** Milliseconds; null where there was no query. */
  readonly p50: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
}

export interface Series extends Span {
  readonly stepSeconds: number;
  /** Seconds since 1970 at which each step begins. */
  readonly times: readonly number[];
  readonly all: SeriesColumns;
  /** Most queries first. */
  readonly tenants: readonly (SeriesColumns & { readonly tenant: string })[];
}

export interface TopItem {
  /** A name with its final dot, or an address. */
  readonly key: string;
  readonly count: number;
  /** How much too high `count` may be. */
  readonly over: number;
}

export interface Top extends Span {
  readonly kind: TopKind;
  readonly tenant?: string;
  readonly items: readonly TopItem[];
}

/** Who looks up whose names. */
export interface TenantMap extends Span {
  readonly tenants: readonly {
    readonly tenant: string;
    readonly queries: number;
    readonly denied: number;
    readonly wouldDeny: number;
    readonly uniqueNames: number;
  }[];
  readonly edges: readonly TenantEdge[];
}

export interface TenantEdge {
  readonly tenant: string;
  /** Names at or below it. */
  readonly zone: string;
  /** The tenant whose names these are, where that is known. */
  readonly owner?: string;
  readonly queries: number;
  readonly denied: number;
}

export interface UpstreamSummary {
  readonly upstream: string;
  /** Queries that waited for it. */
  readonly queries: number;
  /** Those of them that got no answer. */
  readonly failed: number;
  readonly stale: number;
  /** Of all queries that waited for an upstream, 0 to 1. */
  readonly share: number;
  /** From the question that went out to the answer; undefined without one. */
  readonly latencyMs?: Latency;
  /** Most answers first. */
  readonly servers: readonly ServerSummary[];
}

/** Which of an upstream's servers gave the answers that queries have waited for. */
export interface ServerSummary {
  /** Name of its Envoy cluster. */
  readonly cluster: string;
  readonly answers: number;
  /** Of the upstream's answers, 0 to 1. */
  readonly share: number;
  readonly latencyMs?: Latency;
}

export interface Upstreams extends Span {
  readonly upstreams: readonly UpstreamSummary[];
}

/** Of a tenant's connections, as far as Envoys ask about them: `connected` and `failed` are what became of those let through. */
export interface ConnectionCounts {
  readonly allowed: number;
  readonly refused: number;
  readonly wouldRefuse: number;
  readonly connected: number;
  readonly failed: number;
}

export interface Connections extends Span {
  /** Most first. */
  readonly tenants: readonly (ConnectionCounts & {
    readonly tenant: string;
    /** Until they were open; undefined without one. */
    readonly connectMs?: Latency;
  })[];
  /** Resolved, then failed to connect; most frequent first. */
  readonly unreachable: readonly {
    readonly tenant: string;
    /** With its final dot; empty where no name allowed it. */
    readonly name: string;
    /** Address and port. */
    readonly address: string;
    readonly count: number;
    readonly over: number;
  }[];
  /** Addresses and ports that nobody may connect to, and somebody tried; most frequent first. */
  readonly refused: readonly (TopItem & { readonly tenant: string })[];
}

/** Of questions that a second upstream was asked, too (action Mirror). */
export interface MirrorCounts {
  /** The second. */
  readonly upstream: string;
  readonly same: number;
  readonly different: number;
  /** It has not answered. */
  readonly failed: number;
  /** Of its answers; undefined without one. */
  readonly latencyMs?: Latency;
}

export interface DifferingName {
  readonly upstream: string;
  /** With its final dot. */
  readonly name: string;
  readonly type: string;
  /** RCODEs: of the answer that the client got, and of the second upstream's. Where they are the same, records differ. */
  readonly first: string;
  readonly second: string;
  readonly count: number;
  /** How much too high `count` may be. */
  readonly over: number;
}

export interface Mirrors extends Span {
  /** Most questions first. */
  readonly upstreams: readonly (MirrorCounts & { readonly tenant: string })[];
  /** Most frequent first. */
  readonly differing: readonly (DifferingName & { readonly tenant: string })[];
}

export interface RuleHits {
  readonly policy: string;
  readonly rule: string;
  /** Queries that it decided. */
  readonly hits: number;
  /** Queries that it met in mode Audit. */
  readonly audited: number;
  /** When one of these was last. */
  readonly last: string;
}

/** Since the store was begun, or without one since the service runs, and not by window: which rules are of use. */
export interface Rules {
  readonly since: string;
  /** Of whose queries alone, where they are not everybody's. */
  readonly tenant?: string;
  readonly rules: readonly RuleHits[];
}

/** A query: as a line of the query log. Fields that say nothing are left out. */
export interface QueryRecord {
  /** To the microsecond. */
  readonly time: string;
  readonly tenant: string;
  readonly client: string;
  /** URI SAN of its certificate. */
  readonly principal?: string;
  /** The pod that had its address, where pods are known. */
  readonly namespace?: string;
  readonly workload?: string;
  readonly transport: string;
  readonly qname: string;
  readonly qtype?: string;
  readonly outcome: string;
  readonly policy?: string;
  readonly rule?: string;
  readonly rcode: string;
  readonly ede?: number;
  readonly latency_us: number;
  /** Of the answer, and the query's DO, as dig names them: `do rd ra`. */
  readonly flags?: string;
  readonly cache?: string;
  readonly revision: number;
  readonly upstream?: string;
  readonly upstream_us?: number;
  /** The name that a rule has had answered instead. */
  readonly rewritten?: string;
  /** Of its latency, waiting for decisions of the policy service. */
  readonly decision_us?: number;
  /** Addresses of the answer: the first few. */
  readonly answers?: readonly string[];
  readonly audit?: readonly { readonly policy: string; readonly rule: string; readonly would: string }[];
}

/** Which queries: those that fit all that is given. */
export interface QueryFilter {
  readonly tenant?: string;
  /** An outcome. */
  readonly verdict?: string;
  /** With `*` for any characters; without one, the name itself. In any case, with or without the final dot. */
  readonly name?: string;
  /** An address, or a network in CIDR notation. */
  readonly client?: string;
  readonly type?: string;
  readonly rule?: string;
}

export interface QuerySearch extends QueryFilter {
  /** Milliseconds since 1970. */
  readonly since?: number;
  readonly until?: number;
  readonly limit: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

/** Newest first. */
export interface QueryPage {
  readonly queries: readonly QueryRecord[];
  /** Where there are more: how to ask for them. */
  readonly next?: string;
}

export interface Erased {
  readonly erased: number;
}

/** By kind of question, what it takes beside its kind, and its answer. */
export interface Questions {
  readonly overview: { readonly asks: Windowed; readonly answer: Overview };
  readonly series: { readonly asks: Windowed & { readonly limit: number }; readonly answer: Series };
  readonly top: {
    readonly asks: Windowed & { readonly of: TopKind; readonly limit: number };
    readonly answer: Top;
  };
  readonly map: { readonly asks: Windowed & { readonly limit: number }; readonly answer: TenantMap };
  readonly upstreams: { readonly asks: Windowed; readonly answer: Upstreams };
  readonly rules: { readonly asks: { readonly tenant?: string }; readonly answer: Rules };
  readonly connections: { readonly asks: Windowed & { readonly limit: number }; readonly answer: Connections };
  readonly mirrors: { readonly asks: Windowed & { readonly limit: number }; readonly answer: Mirrors };
  /** For metrics. */
  readonly counts: { readonly asks: object; readonly answer: EventCounts };
  /** For connections, of all names. */
  readonly granted: {
    readonly asks: { readonly tenant: string; readonly address: Uint8Array };
    readonly answer: readonly GrantedName[];
  };
  readonly search: { readonly asks: QuerySearch; readonly answer: QueryPage };
  readonly erase: { readonly asks: QueryFilter; readonly answer: Erased };
}

/** A question whose answer had an address, within its TTL. */
export interface GrantedName {
  /** Wire format. */
  readonly qname: Uint8Array;
  readonly qtype: number;
  /** As sync.proto numbers them. */
  readonly transport: number;
}

/** `tenant`: of this one alone. */
export interface Windowed {
  readonly window: Window;
  readonly tenant?: string;
}

export type QuestionKind = keyof Questions;

/** There is no store for past queries. */
export class NoStoreError extends Error {
  override readonly name = "NoStoreError";
}

/** What telemetry is to whoever asks it. */
export interface Telemetry {
  ask<K extends QuestionKind>(kind: K, asks: Questions[K]["asks"]): Promise<Questions[K]["answer"]>;
  /**
   * Every query from now on that fits: as JSON, some at a time, and how many were left out since the last time because
   * there were too many. Returns how to stop.
   */
  watch(filter: QueryFilter, listener: (queries: readonly string[], lost: number) => void): () => void;
}
