/**
 * Reports of workers into metrics, a little at a time: a decision that comes meanwhile does not wait for more than one
 * slice. Events go on to telemetry, which is another thread's. A worker sends no more until its reports are counted, which bounds the queue.
 */
import type { LatencyCounter__Output } from "../gen/types/dns/mesh/v1/LatencyCounter.ts";
import type { QueryCounter__Output } from "../gen/types/dns/mesh/v1/QueryCounter.ts";
import type { Report__Output } from "../gen/types/dns/mesh/v1/Report.ts";
import { toNumber } from "../messages/long.ts";
import { AUDITED, CACHE_RESULTS, nameOf, OUTCOMES, rcodeLabel, TRANSPORTS, typeLabel } from "./labels.ts";
import type { TelemetryRoom } from "./local-telemetry.ts";
import type { Metrics } from "./metrics.ts";
import type { QueryLog } from "./query-log.ts";

/** Counters in one slice: about a millisecond. */
const SLICE = 128;

const CACHE_NONE = 0;
const UNTOUCHED = 0;

export interface ReportQueueOptions {
  readonly metrics: Metrics;
  readonly queryLog: QueryLog;
  readonly telemetry: Pick<TelemetryRoom, "take" | "lost">;
  /** Puts off a slice until other work has had its turn: setImmediate. */
  readonly later: (task: () => void) => void;
}

export class ReportQueue {
  readonly #options: ReportQueueOptions;
  readonly #work: Generator<void>[] = [];
  #scheduled = false;

  constructor(options: ReportQueueOptions) {
    this.#options = options;
  }

  /** A report of a worker of `node`. Calls `done` when all of it is counted. */
  push(report: Report__Output, node: string, done: () => void): void {
    this.#work.push(this.#process(report, node, done));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.later(() => {
      this.#scheduled = false;
      const first = this.#work[0];
      if (first?.next().done === true) this.#work.shift();
      if (this.#work.length > 0) this.#schedule();
    });
  }

  *#process(report: Report__Output, node: string, done: () => void): Generator<void> {
    const { metrics, queryLog, telemetry } = this.#options;
    const dropped = toNumber(report.dropped_events);
    metrics.reports.inc();
    metrics.eventsDropped.inc(dropped);
    metrics.mirrorsDropped.inc(toNumber(report.dropped_mirrors));
    if (dropped > 0) telemetry.lost(dropped);
    let count = 0;
    for (const counter of report.counters) {
      this.#count(counter);
      if (++count % SLICE === 0) yield;
    }
    for (const latency of report.latencies) {
      this.#measure(latency);
      if (++count % SLICE === 0) yield;
    }
    if (report.events.length === 0) {
      done();
      return;
    }
    // The worker's credit is spent until its events are counted, too.
    telemetry.take(report.events, node, (lines) => {
      for (const line of lines) if (!queryLog.write(line)) metrics.queryLogDropped.inc();
      done();
    });
  }

  #count(counter: QueryCounter__Output): void {
    const { metrics } = this.#options;
    const tenant = metrics.tenants.label(counter.tenant);
    const transport = nameOf(TRANSPORTS, counter.transport);
    const outcome = nameOf(OUTCOMES, counter.outcome);
    const type = typeLabel(counter.qtype);
    const rcode = rcodeLabel(counter.rcode);
    const count = toNumber(counter.count);
    metrics.queries.inc({ tenant, transport, type, outcome, rcode }, count);
    if (counter.audited !== UNTOUCHED) metrics.audited.inc({ tenant, audit: nameOf(AUDITED, counter.audited) }, count);
    if (counter.cache !== CACHE_NONE)
      metrics.cache.inc({ tenant, result: nameOf(CACHE_RESULTS, counter.cache) }, count);
  }

  #measure({ tenant, transport, buckets, sum_us }: LatencyCounter__Output): void {
    const { metrics } = this.#options;
    const labels = { tenant: metrics.tenants.label(tenant), transport: nameOf(TRANSPORTS, transport) };
    metrics.latency.add(labels, buckets.map(toNumber), toNumber(sum_us) / 1e6);
  }
}
