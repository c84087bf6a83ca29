/**
 * Events in, answers about them out: everything that telemetry keeps in memory.
 */

import { presentAddress } from "../dns/address.ts";
import { foldedName, latin1, presentLabels } from "../dns/names.ts";
import { zoneOf } from "../dns/zone.ts";
import type { Comparison__Output } from "../gen/types/dns/mesh/v1/Comparison.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import { nameOf, rcodeLabel, TRANSPORTS, typeLabel } from "./labels.ts";
import type { EventCounts } from "./metrics.ts";
import type {
  Connections,
  Counts,
  MirrorCounts,
  Mirrors,
  Overview,
  Rules,
  Series,
  SeriesColumns,
  ServerSummary,
  Span,
  Summary,
  TenantMap,
  Top,
  TopKind,
  Trend,
  Upstreams,
  Window,
  Windowed,
} from "./questions.ts";
import { mergeDetails, Rollup, WINDOW_MS } from "./rollup.ts";
import type { KeptRules } from "./rule-memory.ts";
import { RuleTable } from "./rule-table.ts";
import { CountTally, DetailTally, type ServerTally } from "./tally.ts";
import { hashText } from "./unique-count.ts";
import { UpstreamTimes } from "./upstream-times.ts";

/** Outcome and RuleAction of the protos. */
const DENIED = 1;
const FAILED = 3;
const ACTION_DENY = 1;
const STALE = 3;

export class Aggregate {
  readonly #rollup = new Rollup();
  readonly #rules: RuleTable;
  readonly #upstreams = new UpstreamTimes();
  readonly #since: number;
  #events = 0;
  lost = 0;

  /** `rules`: what they have matched before. */
  constructor(now: number, rules: KeptRules = { since: now, rules: [] }) {
    this.#since = now;
    this.#rules = new RuleTable(rules);
  }

  rulesToKeep(): KeptRules {
    return this.#rules.toKeep();
  }

  add(event: QueryEvent__Output, now: number): void {
    this.#events++;
    const { tenant, outcome, audits } = event;
    const wouldDeny = audits.some(({ action }) => action === ACTION_DENY);
    const { count, detail } = this.#rollup.at(tenant, now);
    count.add(outcome, event.cache, wouldDeny, event.latency_us);
    this.#detail(detail, event, wouldDeny);
    if (event.policy !== "") this.#rules.hit(tenant, event.policy, event.rule, now);
    for (const { policy, rule, action } of audits) this.#rules.audit(tenant, policy, rule, action, now);
  }

  /** `hidden`: neither names nor addresses of this tenant are to be known. */
  addConnection(event: ConnectionEvent, hidden: boolean, now: number): void {
    this.#rollup.at(event.tenant, now).detail.connections.add(event, hidden);
  }

  addComparison(one: Comparison__Output, now: number): void {
    this.#rollup.at(one.tenant, now).detail.mirrors.add(one);
  }

  #detail(detail: DetailTally, event: QueryEvent__Output, wouldDeny: boolean): void {
    const { qname, client, outcome, upstream } = event;
    const denied = outcome === DENIED;
    const name = foldedName(qname);
    if (name !== "") {
      detail.names.add(name, denied);
      if (denied) detail.denied.add(name, true);
      if (wouldDeny) detail.audited.add(name, false);
      detail.zones.add(zoneOf(name), denied);
      detail.uniqueNames.add(hashText(name));
    }
    const who = latin1(client);
    detail.clients.add(who, denied);
    detail.uniqueClients.add(hashText(who));
    detail.rcodes.add(rcodeLabel(event.rcode));
    detail.types.add(typeLabel(event.qtype));
    detail.transports.add(nameOf(TRANSPORTS, event.transport));
    if (upstream === "") return;
    const tally = detail.upstream(upstream);
    tally.queries++;
    if (outcome === FAILED) tally.failed++;
    if (event.cache === STALE) tally.stale++;
    if (event.upstream_us === 0) return;
    tally.latency.add(event.upstream_us);
    if (event.upstream_server !== "") tally.server(event.upstream_server)?.add(event.upstream_us);
    this.#upstreams.add(upstream, event.upstream_us);
  }

  overview({ window, tenant }: Windowed, now: number): Omit<Overview, "events" | "store"> {
    const reads = this.#rollup.counts(now, window, tenant);
    const details = this.#rollup.details(now, window, tenant);
    const seconds = this.#secondsOf(window, now);
    const sum = new CountTally();
    for (const read of reads) sum.merge(read.sum);
    return {
      ...spanOf(window, now),
      all: summarise(sum, mergeDetails(details.values()), seconds),
      ...this.#trend(window, tenant, now),
      tenants: reads.map((read) => ({
        tenant: read.tenant,
        ...summarise(read.sum, details.get(read.tenant) ?? NO_DETAIL, seconds),
      })),
      lost: this.lost,
    };
  }

  series({ window, tenant, limit }: Windowed & { readonly limit: number }, now: number): Series {
    const reads = this.#rollup.counts(now, window, tenant);
    const step = this.#rollup.stepOf(window);
    const last = now - (now % step);
    const length = Math.ceil(WINDOW_MS[window] / step) + 1;
    const starts = Array.from({ length }, (_, index) => last - (length - 1 - index) * step);
    const all = new Map<number, CountTally>();
    for (const { counts } of reads) {
      for (const { start, content } of counts) {
        const sum = all.get(start) ?? new CountTally();
        sum.merge(content);
        all.set(start, sum);
      }
    }
    return {
      ...spanOf(window, now),
      stepSeconds: step / 1000,
      times: starts.map((start) => start / 1000),
      all: columnsOf(starts, all),
      tenants: reads.slice(0, limit).map((read) => ({
        tenant: read.tenant,
        ...columnsOf(starts, new Map(read.counts.map(({ start, content }) => [start, content]))),
      })),
    };
  }

  top({ window, tenant, of, limit }: Windowed & { readonly of: TopKind; readonly limit: number }, now: number): Top {
    const detail = mergeDetails(this.#rollup.details(now, window, tenant).values());
    const present = of === "clients" ? presentClient : presentLabels;
    return {
      ...spanOf(window, now),
      kind: of,
      ...(tenant === undefined ? {} : { tenant }),
      items: detail[of].top(limit).map(([key, { count, over }]) => ({ key: present(key), count, over })),
    };
  }

  map({ window, tenant, limit }: Windowed & { readonly limit: number }, now: number): TenantMap {
    const details = this.#rollup.details(now, window, tenant);
    const edges = [...details].flatMap(([name, { zones }]) =>
      zones.top(limit).map(([zone, { count, denied }]) => {
        return { tenant: name, zone: presentLabels(zone), queries: count, denied };
      }),
    );
    return {
      ...spanOf(window, now),
      tenants: this.#rollup.counts(now, window, tenant).map(({ tenant: name, sum }) => {
        const { queries, denied, wouldDeny } = sum.counts;
        const uniqueNames = details.get(name)?.uniqueNames.estimate ?? 0;
        return { tenant: name, queries, denied, wouldDeny, uniqueNames };
      }),
      edges: edges.sort((a, b) => b.queries - a.queries).slice(0, limit),
    };
  }

  upstreams({ window, tenant }: Windowed, now: number): Upstreams {
    const { upstreams } = mergeDetails(this.#rollup.details(now, window, tenant).values());
    const all = [...upstreams.values()].reduce((sum, { queries }) => sum + queries, 0);
    const list = [...upstreams].map(([upstream, { queries, failed, stale, latency, servers }]) => {
      return {
        upstream,
        queries,
        failed,
        stale,
        share: queries / all,
        ...latency.latency,
        servers: serversOf(servers),
      };
    });
    return { ...spanOf(window, now), upstreams: list.sort((a, b) => b.queries - a.queries) };
  }

  connections({ window, tenant, limit }: Windowed & { readonly limit: number }, now: number): Connections {
    const all = [...this.#rollup.details(now, window, tenant)]
      .map(([name, { connections }]) => ({ tenant: name, tally: connections }))
      .filter(({ tally }) => tally.total > 0)
      .sort((a, b) => b.tally.total - a.tally.total);
    return {
      ...spanOf(window, now),
      tenants: all.map(({ tenant: name, tally }) => ({ tenant: name, ...tally.counts, ...tally.connectMs })),
      unreachable: mostFrequent(
        all.flatMap(({ tenant: name, tally }) => tally.unreachable(limit).map((item) => ({ tenant: name, ...item }))),
        limit,
      ),
      refused: mostFrequent(
        all.flatMap(({ tenant: name, tally }) => tally.refused(limit).map((item) => ({ tenant: name, ...item }))),
        limit,
      ),
    };
  }

  mirrors({ window, tenant, limit }: Windowed & { readonly limit: number }, now: number): Mirrors {
    const all = [...this.#rollup.details(now, window, tenant)];
    const total = ({ same, different, failed }: MirrorCounts) => same + different + failed;
    return {
      ...spanOf(window, now),
      upstreams: all
        .flatMap(([name, { mirrors }]) => mirrors.upstreams.map((counts) => ({ tenant: name, ...counts })))
        .sort((a, b) => total(b) - total(a)),
      differing: mostFrequent(
        all.flatMap(([name, { mirrors }]) => mirrors.differing(limit).map((item) => ({ tenant: name, ...item }))),
        limit,
      ),
    };
  }

  ruleHits(tenant: string | undefined): Rules {
    return this.#rules.list(tenant);
  }

  counts(): Omit<EventCounts, "exports" | "exemplars" | "comparisons"> {
    return { events: this.#events, rules: this.#rules.counts(), upstreams: this.#upstreams.list() };
  }

  expire(now: number): void {
    this.#rollup.expire(now);
  }

  #trend(window: Window, tenant: string | undefined, now: number): Pick<Overview, "trend"> {
    if (now - this.#since < 2 * WINDOW_MS[window]) return {};
    const twice = this.#rollup.twice(now, window, tenant);
    const trendOf = ({ counts: { queries, denied, failed, wouldDeny } }: CountTally): Trend => {
      return { queries, denied, failed, wouldDeny };
    };
    return twice === undefined ? {} : { trend: { last: trendOf(twice.last), before: trendOf(twice.before) } };
  }

  /** Of a window that reaches back to before the service ran, what it has run. */
  #secondsOf(window: Window, now: number): number {
    return Math.max(1, Math.min(WINDOW_MS[window], now - this.#since) / 1000);
  }
}

function serversOf(servers: ReadonlyMap<string, ServerTally>): ServerSummary[] {
  const all = [...servers.values()].reduce((sum, { answers }) => sum + answers, 0);
  return [...servers]
    .map(([cluster, { answers, latency }]) => ({ cluster, answers, share: answers / all, ...latency.latency }))
    .sort((a, b) => b.answers - a.answers);
}

function mostFrequent<T extends { readonly count: number }>(items: readonly T[], limit: number): T[] {
  return items.toSorted((a, b) => b.count - a.count).slice(0, limit);
}

function spanOf(window: Window, now: number): Span {
  const iso = (time: number) => new Date(time).toISOString();
  return { window, from: iso(now - WINDOW_MS[window]), to: iso(now) };
}

const NO_DETAIL = new DetailTally(0);

function summarise(sum: CountTally, detail: DetailTally, seconds: number): Summary {
  const counts: Counts = sum.counts;
  return {
    ...counts,
    rate: Math.round((counts.queries / seconds) * 1000) / 1000,
    ...sum.latency.latency,
    uniqueNames: detail.uniqueNames.estimate,
    uniqueClients: detail.uniqueClients.estimate,
    rcodes: detail.rcodes.list,
    types: detail.types.list,
    transports: detail.transports.list,
  };
}

const NOTHING = new CountTally();

function columnsOf(starts: readonly number[], cells: ReadonlyMap<number, CountTally>): SeriesColumns {
  const tallies = starts.map((start) => cells.get(start) ?? NOTHING);
  const counts = tallies.map((tally) => tally.counts);
  return {
    queries: counts.map(({ queries }) => queries),
    denied: counts.map(({ denied }) => denied),
    failed: counts.map(({ failed }) => failed),
    wouldDeny: counts.map(({ wouldDeny }) => wouldDeny),
    hits: counts.map(({ hits }) => hits),
    misses: counts.map(({ misses }) => misses),
    p50: tallies.map(({ latency }) => latency.quantile(0.5)),
    p99: tallies.map(({ latency }) => latency.quantile(0.99)),
  };
}

function presentClient(key: string): string {
  return presentAddress(Buffer.from(key, "latin1"));
}
