/**
 * A stack whose tenants are logged whole, into a store too; and what everybody says of how many queries there were.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Overview } from "../../../extproc/telemetry/questions.ts";
import { Stack } from "../../e2e/stack.ts";
import { anyZone, policy } from "../policies.ts";

const ALL = policy.replaceAll("upstream: public}", "upstream: public, telemetry: {log: All}}");
/** Workers report every second; the store is flushed every half. */
const SETTLED_MS = 3000;

export function startObserved(): Promise<Stack> {
  return Stack.start({
    policy: ALL,
    upstreams: { public: { zone: anyZone } },
    concurrency: 2,
    serve: (directory) => ["--query-store", join(directory, "queries.db")],
  });
}

export interface Told {
  /** By outcome. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly envoy: Readonly<Record<string, number>>;
  readonly page: Readonly<Record<string, number>>;
  readonly lines: Readonly<Record<string, number>>;
  readonly rows: Readonly<Record<string, number>>;
  readonly dropped: number;
}

const OUTCOMES = ["forwarded", "denied", "rejected", "failed", "faulted", "answered"] as const;

/** Once all that is under way has arrived. */
export async function lookAt(stack: Stack): Promise<Told> {
  await pause(SETTLED_MS);
  const { service } = stack;
  const text = await service.metrics();
  const metrics = sums(text.matchAll(/^dns_queries_total\{.*outcome="(\w+)".*\} (\d+)$/gm));
  const envoy: Record<string, number> = {};
  for (const [name, value] of await stack.stats(/dns\.verdicts\.tenant/)) {
    const outcome = /verdict\.(\w+)/.exec(name)?.[1] ?? "";
    envoy[outcome] = (envoy[outcome] ?? 0) + value;
  }
  const overview = JSON.parse((await service.request("GET", "/v1/telemetry/overview?window=24h")).body) as Overview;
  const lines = sums(readFileSync(service.queryLog, "utf8").matchAll(/"outcome":"(\w+)"()/g));
  const dropped = Number(/^dns_events_dropped_total (\d+)$/m.exec(text)?.[1] ?? -1);
  const page = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, overview.all[outcome]]));
  return { metrics, envoy, page, lines, rows: await rowsOf(stack), dropped };
}

/** By pages, as whoever reads all of the store has to. */
async function rowsOf({ service }: Stack): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  for (let cursor = ""; ; ) {
    const path = `/v1/telemetry/queries?limit=1000${cursor === "" ? "" : `&cursor=${cursor}`}`;
    const page = JSON.parse((await service.request("GET", path)).body) as {
      queries: { outcome: string }[];
      next?: string;
    };
    for (const { outcome } of page.queries) rows[outcome] = (rows[outcome] ?? 0) + 1;
    if (page.next === undefined) return rows;
    cursor = page.next;
  }
}

function sums(matches: Iterable<RegExpMatchArray>): Record<string, number> {
  const all: Record<string, number> = {};
  for (const [, outcome = "", value = ""] of matches)
    all[outcome] = (all[outcome] ?? 0) + Number(value === "" ? 1 : value);
  return all;
}

/** What was added, by outcome; outcomes without a query are left out. */
export function since(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  const entries = Object.entries(after).map(([outcome, count]) => [outcome, count - (before[outcome] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, count]) => count !== 0).sort());
}
