/**
 * `npm run bench [-- SCENARIO…] [--seconds N] [--servers a,b]`: CPU time per query of our Envoy and of its peers, side
 * by side in one run: the server alone on one core, one worker, the loader and the upstream on the other. Prints one
 * line of JSON a measurement, then a table with what our figure is in terms of each peer's.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeCertificate, startBackend } from "./backend.ts";
import { coredns } from "./peers/coredns.ts";
import { dnsdist } from "./peers/dnsdist.ts";
import { product, twoWorkers } from "./peers/product.ts";
import { unbound } from "./peers/unbound.ts";
import { type Scenario, scenarios, type Target } from "./scenarios.ts";
import { cpuMicroseconds, freePort, type Peer, prefer, residentBytes } from "./server.ts";

interface Measurement {
  scenario: string;
  server: string;
  queries: number;
  lost: number;
  qps: number;
  cpu_us: number;
  p50_us?: number;
  p99_us?: number;
  rss_mb: number;
}

const WARM_UP_SECONDS = 1;

/** Scenarios that keep workers busy; with less to do, waking up is what costs. */
const WORKERS_SCENARIOS = ["udp-hit", "tcp-hit", "dot-hit", "doh-hit"];
const MOST_FOR_TWO = 1.2;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: "string", default: "5" }, servers: { type: "string" } },
  });
  const unknown = positionals.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0)
    throw new Error(`no scenario ${unknown.join(", ")}; there are ${scenarios.map(({ name }) => name).join(", ")}`);
  const chosen = scenarios.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const peers = await available(values.servers?.split(","));
  const measured = await measureAll(chosen, peers, Number(values.seconds));
  console.log(`\n${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}\n`);
  printTable(chosen, peers, measured);
  if (peers.includes(product) && !judge(chosen, measured)) process.exitCode = 1;
}

async function available(wanted: string[] | undefined): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const peer of [product, twoWorkers, dnsdist, unbound, coredns]) {
    if (wanted && !wanted.includes(peer.name)) continue;
    const missing = await peer.missing();
    if (missing) console.error(`without ${peer.name}: ${missing}`);
    else peers.push(peer);
  }
  return peers;
}

async function measureAll(chosen: Scenario[], peers: Peer[], seconds: number): Promise<Measurement[]> {
  const directory = await mkdtemp(join(tmpdir(), "dnspolicy-bench-"));
  const certificate = await makeCertificate(directory);
  const backend = await startBackend(directory, certificate);
  const measured: Measurement[] = [];
  try {
    for (const peer of peers) {
      const ports = { dns: await freePort(), dot: await freePort(), doh: await freePort() };
      const server = await peer.start({ directory, ports, upstreamPort: backend.ports.dot, ...certificate });
      try {
        for (const scenario of chosen) {
          // What the upstream waits for on its core is not to be measured as the server's latency.
          await prefer(backend.pid, scenario.isPaced ?? false);
          await scenario.run(server, WARM_UP_SECONDS);
          const before = cpuMicroseconds(server.pid);
          const load = await scenario.run(server, seconds);
          const used = cpuMicroseconds(server.pid) - before;
          const measurement: Measurement = {
            scenario: scenario.name,
            server: peer.name,
            queries: load.answered,
            lost: load.lost,
            qps: Math.round(load.answered / load.seconds),
            cpu_us: Number((used / load.answered).toFixed(2)),
            ...(load.p50_us === undefined ? {} : { p50_us: load.p50_us }),
            ...(load.p99_us === undefined ? {} : { p99_us: load.p99_us }),
            rss_mb: Math.round(residentBytes(server.pid) / 1048576),
          };
          measured.push(measurement);
          console.log(JSON.stringify(measurement));
        }
      } finally {
        await server.stop();
      }
    }
  } finally {
    await backend.stop();
    await rm(directory, { recursive: true, force: true });
  }
  return measured;
}

function printTable(chosen: Scenario[], peers: Peer[], measured: Measurement[]): void {
  const find = (scenario: Scenario, server: string) =>
    measured.find((each) => each.scenario === scenario.name && each.server === server);
  const head = ["CPU us/query", ...peers.map(({ name }) => name)];
  const rows = chosen.map((scenario) => {
    const ours = find(scenario, product.name);
    const cells = peers.map(({ name }) => {
      const theirs = find(scenario, name);
      if (!theirs) return "-";
      const ratio = ours && name !== product.name ? ` (${(ours.cpu_us / theirs.cpu_us).toFixed(2)}x)` : "";
      const late = theirs.p99_us === undefined ? "" : `, p99 ${theirs.p99_us} us`;
      return `${theirs.cpu_us}${ratio}${late}`;
    });
    return [scenario.name, ...cells];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  for (const row of [head, widths.map((width) => "-".repeat(width)), ...rows])
    console.log(`| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
}

/** Says of each target whether it is met; a peer that was not measured decides nothing. */
function judge(chosen: Scenario[], measured: Measurement[]): boolean {
  let met = true;
  for (const scenario of chosen) {
    const ours = measured.find((each) => each.scenario === scenario.name && each.server === product.name);
    for (const target of scenario.targets) {
      const line = ours && judgeTarget(scenario, target, ours, measured);
      if (!line) continue;
      console.log(line);
      met &&= line.startsWith("pass");
    }
    const line = judgeWorkers(scenario, measured);
    if (!line) continue;
    console.log(line);
    met &&= line.startsWith("pass");
  }
  return met;
}

/** Twice the workers are to do twice the work: where the loader needs a core of its own, a query costs what it did. */
function judgeWorkers({ name }: Scenario, all: Measurement[]): string | undefined {
  const of = (server: string) => all.find((each) => each.scenario === name && each.server === server)?.cpu_us;
  const [one, two] = [of(product.name), of(twoWorkers.name)];
  if (one === undefined || two === undefined || !WORKERS_SCENARIOS.includes(name)) return undefined;
  const verdict = two <= one * MOST_FOR_TWO ? "pass" : "FAIL";
  return `${verdict} ${name}, two workers: cpu_us ${two} <= ${MOST_FOR_TWO}x one worker = ${(one * MOST_FOR_TWO).toFixed(2)}`;
}

function judgeTarget(scenario: Scenario, target: Target, ours: Measurement, all: Measurement[]): string | undefined {
  const theirs = all
    .filter((each) => each.scenario === scenario.name && target.peers.includes(each.server))
    .map((each) => each[target.figure] ?? Number.POSITIVE_INFINITY);
  const own = ours[target.figure];
  if (theirs.length === 0 || own === undefined) return undefined;
  const limit = Math.min(...theirs) * target.times;
  const best = target.peers.length > 1 ? `best of ${target.peers.join(", ")}` : target.peers[0];
  const verdict = own <= limit ? "pass" : "FAIL";
  return `${verdict} ${scenario.name}: ${target.figure} ${own} <= ${target.times}x ${best} = ${limit.toFixed(2)}`;
}

await main();
