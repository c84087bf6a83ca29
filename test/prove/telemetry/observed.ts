/**
 * A stack whose tenants are logged whole, into a store too; and what everybody says of how many queries there were.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Overview } from "../../../extproc/telemetry/questions.ts";
import { Stack } from "../../e2e/stack.ts";
import { anyZone, policy } from "../policies.ts";
import type { Report } from "../proof.ts";

const ALL = policy.replaceAll("upstream: public}", "upstream: public, telemetry: {log: All}}");
/** Workers report every second. */
const SETTLED_MS = 1200;

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
  let counted = await countedBy(stack);
  for (let settled = false; !settled; ) {
    await pause(SETTLED_MS);
    const now = await countedBy(stack);
    settled = isDeepStrictEqual(now, counted);
    counted = now;
  }
  const envoy: Record<string, number> = {};
  for (const [name, value] of await stack.stats(/dns\.verdicts\.tenant/)) {
    const outcome = /verdict\.(\w+)/.exec(name)?.[1] ?? "";
    envoy[outcome] = (envoy[outcome] ?? 0) + value;
  }
  const lines = sums(readFileSync(stack.service.queryLog, "utf8").matchAll(/"outcome":"(\w+)"()/g));
  return { ...counted, envoy, lines, rows: await rowsOf(stack) };
}

/** What the policy service has of workers' reports. */
async function countedBy({ service }: Stack): Promise<Pick<Told, "metrics" | "page" | "dropped">> {
  const text = await service.metrics();
  const metrics = sums(text.matchAll(/^dns_queries_total\{.*outcome="(\w+)".*\} (\d+)$/gm));
  const overview = JSON.parse((await service.request("GET", "/v1/telemetry/overview?window=24h")).body) as Overview;
  const page = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, overview.all[outcome]]));
  return { metrics, page, dropped: Number(/^dns_events_dropped_total (\d+)$/m.exec(text)?.[1] ?? -1) };
}

/**
 * Whether so many queries were counted, and everybody says the same of them; what workers could not tell of is lost to all
 * but the counters, and counted.
 */
export function checkAgreement(report: Report, asked: number, before: Told, after: Told): void {
  const counted = since(before.metrics, after.metrics);
  const dropped = after.dropped - before.dropped;
  report.figure("queries sent", asked);
  report.figure("by metrics", JSON.stringify(counted));
  report.figure("events that were dropped", dropped);
  report.check(total(counted) === asked, `metrics: expected ${asked} queries, got ${total(counted)}`);
  const expectSame = (who: "envoy" | "page" | "lines" | "rows", wanted: Readonly<Record<string, number>>) => {
    const told = since(before[who], after[who]);
    const holds = isDeepStrictEqual(told, wanted);
    report.check(holds, `${who}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(told)}`);
  };
  const lines = since(before.lines, after.lines);
  expectSame("envoy", counted);
  expectSame("page", lines);
  expectSame("rows", lines);
  if (dropped === 0) expectSame("lines", counted);
  else
    report.check(
      total(lines) + dropped === asked,
      `lines: expected ${asked} with the ${dropped} that were dropped, got ${total(lines)}`,
    );
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

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
