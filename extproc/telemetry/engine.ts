/**
 * Telemetry on one thread: batches of events in, lines of the query log out, and answers to whoever asks.
 */
import { randomBytes } from "node:crypto";
import type { EventBatch__Output } from "../gen/types/dns/mesh/v1/EventBatch.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import { messageType } from "../messages/protos.ts";
import { Aggregate } from "./aggregate.ts";
import { type ClientPod, ClientPods } from "./client-pods.ts";
import { Comparisons, comparisonRecord } from "./comparisons.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { EventExporter } from "./export/event-exporter.ts";
import type { GrantJournal } from "./grant-journal.ts";
import { Grants } from "./grants.ts";
import type { EventCounts } from "./metrics.ts";
import { conceal, concealComparison } from "./privacy.ts";
import { compileFilter, type Loosely } from "./query-filter.ts";
import { queryRecord, toQueryRecord } from "./query-record.ts";
import type { QueryStore } from "./query-store.ts";
import { NoStoreError, type QueryFilter, type QuestionKind, type Questions } from "./questions.ts";
import type { KeptRules, RuleMemory } from "./rule-memory.ts";
import { type TelemetrySettings, telemetryOf, USUAL_SETTINGS } from "./settings.ts";

const batchType = messageType<unknown, EventBatch__Output>("dns.mesh.v1.EventBatch");

/** Queries a second that one watcher is told of; nobody reads faster. */
const WATCHED_PER_SECOND = 2000;

interface Watcher {
  readonly fits: (record: Loosely) => boolean;
  readonly listener: (queries: readonly string[], lost: number) => void;
  second: number;
  told: number;
}

export interface EngineOptions {
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  /** Of what is to be logged; undefined where past queries are not kept. */
  readonly store?: QueryStore | undefined;
  /** What tenants were told, as far as connections are allowed by it; undefined where it is in memory alone. */
  readonly grantJournal?: ReturnType<typeof GrantJournal.open> | undefined;
  /** What rules have matched, and where that is kept; undefined where it is in memory alone. */
  readonly ruleMemory?: { readonly memory: RuleMemory; readonly kept: KeptRules | undefined } | undefined;
  /** Who is told of every event. */
  readonly exporters?: readonly EventExporter[];
}

export class TelemetryEngine {
  readonly #options: EngineOptions;
  readonly #aggregate: Aggregate;
  readonly #grants: Grants;
  readonly #comparisons = new Comparisons();
  readonly #clients = new ClientPods();
  readonly #watchers = new Set<Watcher>();
  readonly #key: Buffer;
  #settings = USUAL_SETTINGS;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#aggregate = new Aggregate(options.now(), options.ruleMemory?.kept);
    const { journal, grants = [] } = options.grantJournal ?? {};
    this.#grants = new Grants({ onGrant: journal && ((grant) => journal.add(grant)) });
    for (const grant of grants) this.#grants.restore(grant);
    this.#grants.expire(options.now());
    journal?.rewrite(() => this.#grants.toKeep());
    this.#key = options.store?.key ?? randomBytes(32);
  }

  configure(settings: TelemetrySettings): void {
    this.#settings = settings;
    for (const exporter of this.#exporters) exporter.configure?.(settings);
    if (settings.graceMs !== undefined) return;
    this.#grants.clear();
    this.#options.grantJournal?.journal.forget();
  }

  /** An EventBatch of a worker of this Envoy; returns the lines of what is to be logged. */
  take(batch: Uint8Array, node: string): readonly string[] {
    const now = this.#options.now();
    const { events, comparisons } = batchType.decode(batch);
    const { store } = this.#options;
    const { graceMs } = this.#settings;
    const lines: string[] = [];
    for (const event of events) {
      const wanted = telemetryOf(this.#settings, event.tenant);
      if (graceMs !== undefined) this.#grants.add(event, graceMs, now, wanted?.names !== "Hashed");
      this.#clients.name(event);
      if (wanted !== undefined) conceal(event, wanted, this.#key);
      this.#aggregate.add(event, now);
      if (!event.logged) continue;
      lines.push(queryRecord(event));
      store?.append(event);
    }
    for (const one of comparisons) {
      const wanted = telemetryOf(this.#settings, one.tenant);
      if (wanted !== undefined) concealComparison(one, wanted, this.#key);
      this.#comparisons.add(one);
      this.#aggregate.addComparison(one, now);
      lines.push(comparisonRecord(one));
    }
    if (this.#watchers.size > 0) this.#show(events, now);
    for (const exporter of this.#exporters) exporter.take(events, node);
    return lines;
  }

  connection(event: ConnectionEvent): void {
    const privacy = telemetryOf(this.#settings, event.tenant);
    // An address would say as much as the name.
    this.#aggregate.addConnection(event, privacy?.names === "Hashed", this.#options.now());
  }

  clients(changed: readonly ClientPod[]): void {
    this.#clients.change(changed);
  }

  /** Events that never came. */
  lost(count: number): void {
    this.#aggregate.lost += count;
  }

  async ask<K extends QuestionKind>(kind: K, asks: Questions[K]["asks"]): Promise<Questions[K]["answer"]> {
    return (await this.#answer({ kind, asks } as Asked)) as Questions[K]["answer"];
  }

  async #answer(question: Asked): Promise<Questions[QuestionKind]["answer"]> {
    const now = this.#options.now();
    const aggregate = this.#aggregate;
    switch (question.kind) {
      case "overview":
        return {
          ...aggregate.overview(question.asks, now),
          events: this.#settings.events,
          store: this.#options.store !== undefined,
        };
      case "series":
        return aggregate.series(question.asks, now);
      case "top":
        return aggregate.top(question.asks, now);
      case "map":
        return aggregate.map(question.asks, now);
      case "upstreams":
        return aggregate.upstreams(question.asks, now);
      case "rules":
        return aggregate.ruleHits(question.asks.tenant);
      case "counts":
        return {
          ...aggregate.counts(),
          comparisons: this.#comparisons.list(),
          exports: this.#exports(),
          exemplars: this.#exporters.flatMap(({ exemplars = [] }) => exemplars),
        };
      case "connections":
        return aggregate.connections(question.asks, now);
      case "mirrors":
        return aggregate.mirrors(question.asks, now);
      case "granted":
        return this.#grants.namesOf(question.asks.tenant, question.asks.address, now);
      case "search":
        return this.#store.search(question.asks);
      case "erase":
        return { erased: await this.#store.erase(question.asks) };
    }
  }

  get #exporters(): readonly EventExporter[] {
    return this.#options.exporters ?? [];
  }

  #exports(): EventCounts["exports"] {
    const { store } = this.#options;
    const stored = store === undefined ? [] : [{ exporter: "query_store", sent: store.stored, lost: store.lost }];
    return [...stored, ...this.#exporters.map(({ name, sent, lost }) => ({ exporter: name, sent, lost }))];
  }

  get #store(): QueryStore {
    const { store } = this.#options;
    if (store !== undefined) return store;
    throw new NoStoreError("expected a service that keeps past queries, got one without --query-store");
  }

  watch(filter: QueryFilter, listener: Watcher["listener"]): () => void {
    const watcher: Watcher = { fits: compileFilter(filter), listener, second: 0, told: 0 };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Every minute or so. */
  async expire(): Promise<void> {
    const now = this.#options.now();
    this.#aggregate.expire(now);
    this.#grants.expire(now);
    const { tenants } = this.#settings;
    const keep = Object.fromEntries(Object.entries(tenants).map(([tenant, { keepMs }]) => [tenant, keepMs]));
    await this.#options.store?.expire(now, keep);
  }

  /** At least every second. */
  flush(): void {
    this.#options.store?.flush();
    this.#options.grantJournal?.journal.flush(() => this.#grants.toKeep(), this.#grants.size);
  }

  /** Every minute or so. */
  remember(): void {
    this.#options.ruleMemory?.memory.write(this.#aggregate.rulesToKeep());
  }

  async close(): Promise<void> {
    this.flush();
    this.remember();
    this.#options.grantJournal?.journal.close();
    this.#options.store?.close();
    await Promise.all(this.#exporters.map((exporter) => exporter.close()));
  }

  #show(events: readonly QueryEvent__Output[], now: number): void {
    const records = events.map(toQueryRecord);
    const second = Math.floor(now / 1000);
    for (const watcher of this.#watchers) {
      if (watcher.second !== second) {
        watcher.second = second;
        watcher.told = 0;
      }
      const fitting = records.filter((record) => watcher.fits(record));
      const shown = fitting.slice(0, WATCHED_PER_SECOND - watcher.told);
      watcher.told += shown.length;
      const lost = fitting.length - shown.length;
      if (fitting.length > 0)
        watcher.listener(
          shown.map((record) => JSON.stringify(record)),
          lost,
        );
    }
  }
}

type Asked = { readonly [K in QuestionKind]: { readonly kind: K; readonly asks: Questions[K]["asks"] } }[QuestionKind];
