/**
 * How many events a second the telemetry thread's code takes on one core, alone and with a store, and how fast a store of ten
 * million rows answers. `npx tsx bench/telemetry.ts [ROWS]`
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QueryEvent } from "../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { messageType } from "../extproc/messages/protos.ts";
import { TelemetryEngine } from "../extproc/telemetry/engine.ts";
import { QueryStore } from "../extproc/telemetry/query-store.ts";
import type { QuerySearch } from "../extproc/telemetry/questions.ts";

const BATCH = 500;
const BATCHES = 200;
const batchType = messageType<{ events: QueryEvent[] }, unknown>("dns.mesh.v1.EventBatch");

let seed = 1;
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}

/** Few of many are asked for often. */
function skewed(below: number): number {
  return Math.floor(below * (random(1e6) / 1e6) ** 4);
}

function eventOf(logged: boolean, time: number): QueryEvent {
  const name = `host${skewed(200_000)}.zone${random(50)}.example.com`;
  const denied = random(10) === 0;
  return {
    time_us: time,
    tenant: `tenant-${skewed(50)}`,
    client: Buffer.from([10, 0, skewed(40), random(250)]),
    transport: random(5) as 0,
    qname: Buffer.concat([
      ...name.split(".").map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, "latin1")),
      Buffer.from([0]),
    ]),
    qtype: random(3) === 0 ? 28 : 1,
    outcome: denied ? 1 : 0,
    policy: denied ? "no-ads" : "",
    rule: denied ? `rule-${random(30)}` : "",
    rcode: denied ? 3 : 0,
    ede: denied ? 16 : 0,
    latency_us: skewed(100_000),
    cache: denied ? 0 : ((1 + random(2)) as 1),
    revision: 1_764_000_000_000,
    upstream: denied ? "" : "public",
    upstream_us: skewed(100_000),
    answers: denied ? Buffer.alloc(0) : Buffer.from([4, 192, 0, 2, random(250)]),
    logged,
  };
}

const START_US = 1_764_000_000_000_000;
let time = START_US;
function batches(logged: boolean): Uint8Array[] {
  return Array.from({ length: BATCHES }, () =>
    batchType.encode({
      events: Array.from({ length: BATCH }, () => {
        time += 20;
        return eventOf(logged, time);
      }),
    }),
  );
}

function measure(what: string, engine: TelemetryEngine, logged: boolean, flush: () => void): void {
  const all = batches(logged);
  const before = process.cpuUsage();
  const started = performance.now();
  for (const [index, batch] of all.entries()) {
    engine.take(batch, "bench");
    if (index % 100 === 99) flush();
  }
  const { user, system } = process.cpuUsage(before);
  const count = BATCH * BATCHES;
  const cpu = Math.round((count * 1e6) / (user + system));
  const wall = Math.round((count * 1000) / (performance.now() - started));
  console.log(
    `${what}: ${cpu} events a second of CPU, ${wall} of time; ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`,
  );
}

const none = () => {};
const plain = new TelemetryEngine({ now: () => time / 1000 });
for (let round = 0; round < 3; round++) measure("events that are not logged", plain, false, none);
for (let round = 0; round < 3; round++) measure("logged, no store", plain, true, none);
const watched = new TelemetryEngine({ now: () => time / 1000 });
watched.watch({ name: "host1*" }, none);
measure("not logged, one watcher", watched, false, none);

const rows = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), "telemetry-bench-"));
try {
  const path = join(folder, "queries.db");
  const store = await QueryStore.open({ path, keepMs: 1e12, maxBytes: 1e12 });
  const engine = new TelemetryEngine({ now: () => time / 1000, store });
  for (let written = 0; written < rows; written += BATCH * BATCHES) {
    if (written < 300_000 || written + 100_000 >= rows)
      measure("logged into a store", engine, true, () => store.flush());
    else {
      for (const batch of batches(true)) engine.take(batch, "bench");
      store.flush();
    }
  }
  console.log(`${await store.count()} rows, ${Math.round(statSync(path).size / 2 ** 20)} MiB of file`);
  const last = time / 1000;
  const searches: Record<string, QuerySearch> = {
    "the last hundred": { limit: 100 },
    "of a tenant": { tenant: "tenant-7", limit: 100 },
    "of a rare tenant": { tenant: "tenant-49", limit: 100 },
    "of a name": { name: "host7.zone1.example.com", limit: 100 },
    "of names that end": { name: "*.zone7.example.com", limit: 100 },
    "of names with something in them": { name: "*ost1999*", limit: 100 },
    "denied, of a tenant, in the first tenth": {
      tenant: "tenant-3",
      verdict: "denied",
      until: START_US / 1000 + (last - START_US / 1000) / 10,
      limit: 100,
    },
    "of a network": { client: "10.0.39.0/24", limit: 100 },
    "of nobody": { name: "*nothing*", limit: 100 },
  };
  for (const [what, search] of Object.entries(searches)) {
    const times: number[] = [];
    let found = 0;
    for (let turn = 0; turn < 3; turn++) {
      const started = performance.now();
      found = (await store.search(search)).queries.length;
      times.push(performance.now() - started);
    }
    console.log(`search ${what}: ${times.map((ms) => ms.toFixed(0)).join(", ")} ms, ${found} found`);
  }
  store.close();
} finally {
  rmSync(folder, { recursive: true });
}
