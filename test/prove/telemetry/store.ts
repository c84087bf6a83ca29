/**
 * The store of past queries: how fast rows come in and are found, how much room they take, and what a kill takes with it.
 */
import { fork } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { QueryStore } from "../../../extproc/telemetry/query-store.ts";
import type { QuerySearch } from "../../../extproc/telemetry/questions.ts";
import { readEvents } from "../../extproc/telemetry/events.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { cpuMicroseconds } from "./cpu-time.ts";
import { BATCH, SampleEvents } from "./sample-events.ts";
import type { Written } from "./store-writer.ts";

const ROWS = 10_000_000;
const START = 1_764_000_000_000;
/** As many a second as the rows are apart. */
const PER_SECOND = 50_000;
/** As in the service's thread. */
const FLUSH_ROWS = PER_SECOND / 2;
const SEARCH_MS = 200;
const UNLIMITED = { keepMs: 1e12, maxBytes: 1e12 };

export const store: Proof = {
  name: "store",
  what: "10 million rows: filtered queries in 200 ms and 50,000 rows a second of CPU, and a kill takes the last second at most",
  async run(scale, report) {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-store-"));
    try {
      await fillAndSearch(report, join(folder, "large.db"), scaled(ROWS, scale, 100_000));
      await survivesKills(report, folder, scaled(20, scale, 2));
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function fillAndSearch(report: Report, path: string, rows: number): Promise<void> {
  const filled = await QueryStore.open({ path, ...UNLIMITED });
  const sample = new SampleEvents({ start: START, perSecond: PER_SECOND, logged: "All" });
  let microseconds = 0;
  for (let written = 0; written < rows; written += FLUSH_ROWS) {
    const events = Array.from({ length: FLUSH_ROWS / BATCH }, () => readEvents(sample.batch())).flat();
    microseconds += cpuMicroseconds(() => {
      for (const event of events) filled.append(event);
      filled.flush();
    });
  }
  report.figure("rows", await filled.count());
  report.atRate("rows written in a second of CPU", (rows * 1e6) / microseconds, 50_000);
  const end = sample.time / 1000;
  const searches: Record<string, Omit<QuerySearch, "limit">> = {
    "the newest": {},
    "of a tenant": { tenant: "tenant-7" },
    "of a rare tenant": { tenant: "tenant-49" },
    "of a verdict": { verdict: "denied" },
    "of a rule": { rule: "no-ads/rule-7" },
    "of a rule that there is not": { rule: "no-ads/rule-99" },
    "of a name": { name: "host7.zone1.example.com" },
    "of a rare name": { name: "host199999.zone49.example.com" },
    "of names below a zone": { name: "*.zone7.example.com" },
    "of a network": { client: "10.0.39.0/24" },
    "of a type": { type: "AAAA" },
    "denied, of a tenant, in the first tenth": {
      tenant: "tenant-3",
      verdict: "denied",
      until: START + (end - START) / 10,
    },
    "of a minute in the middle": { since: (START + end) / 2, until: (START + end) / 2 + 60_000 },
  };
  let slowest = 0;
  for (const [what, search] of Object.entries(searches)) {
    const { cpu, wall } = await millisecondsOf(filled, search);
    report.inTime(`search ${what}, ms of CPU`, cpu, SEARCH_MS);
    slowest = Math.max(slowest, wall);
  }
  report.figure("slowest of them, ms by the clock", slowest);
  const inside = await millisecondsOf(filled, { name: "*nothing*" });
  report.figure("search of names with something in them that is not there, ms of CPU", inside.cpu);
  filled.close();
  report.figure("octets a row", (await stat(path)).size / rows);
}

/** The least of three: by the clock, it is the machine's other work that differs. */
async function millisecondsOf(filled: QueryStore, search: Omit<QuerySearch, "limit">) {
  let cpu = Number.POSITIVE_INFINITY;
  let wall = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn++) {
    const started = performance.now();
    const before = process.cpuUsage();
    await filled.search({ ...search, limit: 100 });
    const { user, system } = process.cpuUsage(before);
    cpu = Math.min(cpu, (user + system) / 1000);
    wall = Math.min(wall, performance.now() - started);
  }
  return { cpu, wall };
}

/** A program that writes as the service's thread does, killed at some moment, again and again on one file. */
async function survivesKills(report: Report, folder: string, kills: number): Promise<void> {
  const path = join(folder, "killed.db");
  let longest = 0;
  let rows = 0;
  for (let kill = 0; kill < kills; kill++) {
    const child = fork(fileURLToPath(new URL("store-writer.ts", import.meta.url)), [path], {
      execArgv: ["--import", "tsx"],
    });
    const told: Written[] = [];
    child.on("message", (message: Written) => told.push(message));
    await new Promise<void>((resolve) => child.once("message", () => resolve()));
    await pause(1500 + ((kill * 137 + 250) % 500));
    const killedAt = Date.now();
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    const opened = await QueryStore.open({ path, ...UNLIMITED });
    const kept = (await opened.count()) - rows;
    rows += kept;
    opened.close();
    // What was there for longer than a second has to be there.
    const lost = told.filter(({ count }) => count > kept).at(0);
    if (lost !== undefined) longest = Math.max(longest, killedAt - lost.at);
    report.check(kept > 0, "expected rows of each run, got none");
  }
  report.figure("kills", kills);
  report.atMost("age of the oldest row that a kill took, ms", longest, 1000);
}
