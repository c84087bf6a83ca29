/**
 * What telemetry costs: the filter for an event, the service's thread for many, and the service's memory.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client, credentials } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { TelemetryEngine } from "../../../extproc/telemetry/engine.ts";
import { eventually } from "../../e2e/clients/deadline.ts";
import { encodeQuestion } from "../../e2e/dns.ts";
import { Program } from "../../e2e/process.ts";
import { WorkerPeer } from "../../extproc/server/peers.ts";
import { compile, instantiate } from "../../filter/build.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { cpuMicroseconds } from "./cpu-time.ts";
import { BATCH, SampleEvents } from "./sample-events.ts";

const ROUNDS = 5;
const FILTER_EVENTS = 2_000_000;
const SERVICE_BATCHES = 1000;
const SECONDS = 3600;
const RATE = 5000;
const built = fileURLToPath(new URL("../../../build/extproc/main.js", import.meta.url));

export const cost: Proof = {
  name: "cost",
  what: "an event costs the filter 0.5 us, the service takes 50,000 a second on a core, and has 300 MiB after an hour of 5,000/s",
  async run(scale, report) {
    report.inTime("filter, us an event", await filterMicroseconds(scaled(FILTER_EVENTS, scale, 200_000)), 0.5);
    const batches = scaled(SERVICE_BATCHES, scale, 100);
    report.atRate("events a second of CPU", eventsPerSecond(batches, "Denials"), 50_000);
    report.figure("events a second of CPU, each a line of the log", eventsPerSecond(batches, "All"));
    await keepsItsMemory(report, scaled(SECONDS, scale, 20));
  },
};

/** Of the code that writes an event, alone, in V8 as in Envoy: the median of some rounds. */
async function filterMicroseconds(events: number): Promise<number> {
  const instance = await instantiate(await compile("test/filter/telemetry/entry/events.ts", { optimized: true }));
  const call = (name: string, ...values: number[]) => Number(instance.entry[name]?.(...values));
  const put = (octets: Uint8Array) => {
    instance.memory().set(octets, call("inputAt"));
    return octets.length;
  };
  call("putQuestion", put(encodeQuestion("www.shop.example.com", { edns: 1232 })));
  const root = new protobuf.Root();
  root.loadSync("protos/sync.proto", { keepCase: true });
  const Verdict = root.lookupType("dns.mesh.v1.Verdict");
  const verdict = {
    revision: 1,
    client: { subject: 1, tenant: "frontend", prefix: 32 },
    scope: { extent: 2 },
    forward: { upstream: 1, view: 1 },
    policy: "frontend-no-com",
    rule: "accept-org",
  };
  if (call("putVerdict", put(Verdict.encode(Verdict.fromObject(verdict)).finish())) !== 1)
    throw new Error("no verdict");
  const record = Buffer.from("c00c000100010000012c0004c0000201", "hex");
  call("putAnswer", put(Buffer.concat([record, record])), 6, record.length + 6);
  call("run", 200_000);
  const rounds = Array.from({ length: ROUNDS }, () => cpuMicroseconds(() => call("run", events)) / events);
  if (call("dropped") !== 0) throw new Error("events were dropped");
  return median(rounds);
}

/** The telemetry thread's code, alone. */
function eventsPerSecond(batches: number, logged: "All" | "Denials"): number {
  const sample = new SampleEvents({ start: 1_764_000_000_000, perSecond: 50_000, logged });
  const engine = new TelemetryEngine({ now: () => sample.time / 1000 });
  const rounds = Array.from({ length: ROUNDS }, () => {
    const all = Array.from({ length: batches }, () => sample.batch());
    const microseconds = cpuMicroseconds(() => {
      for (const batch of all) engine.take(batch, "east");
    });
    return (batches * BATCH * 1e6) / microseconds;
  });
  return Math.round(median(rounds));
}

/** The built service with both logs, and a worker that tells of so many queries for so long. */
async function keepsItsMemory(report: Report, seconds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dnspolicy-cost-"));
  const socket = `unix:${join(folder, "policy.sock")}`;
  const service = new Program("dnspolicy serve", "node", [
    // As in the image.
    "--max-semi-space-size=4",
    built,
    "serve",
    ...["--listen", socket, "--admin", `unix:${join(folder, "admin.sock")}`, "--store", join(folder, "store")],
    ...["--query-log", join(folder, "queries.jsonl"), "--query-store", join(folder, "queries.db")],
  ]);
  const client = new Client(socket, credentials.createInsecure());
  try {
    await eventually(20_000, "the service is up", () => service.output.includes("the policy service is up"));
    const worker = WorkerPeer.hello(client, { node: "east" });
    const sample = new SampleEvents({ start: Date.now(), perSecond: RATE, logged: "Denials" });
    const started = Date.now();
    let number = 0;
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    while (Date.now() - started < seconds * 1000) {
      while (number * BATCH < ((Date.now() - started) / 1000) * RATE) {
        await eventually(60_000, "credit", () => number - worker.reportAcks.length < 4, 5);
        worker.report({ number: ++number, events: sample.batch() });
      }
      await pause(50);
      const rss = service.residentBytes / 2 ** 20;
      least = Math.min(least, rss);
      most = Math.max(most, rss);
    }
    await eventually(60_000, "the last events", () => worker.reportAcks.length === number);
    report.figure("events told", number * BATCH);
    report.atRate("events a second", (number * BATCH) / seconds, RATE * 0.95);
    report.figure("memory, least, MiB", least);
    report.atMost("memory, most, MiB", most, 300);
    worker.cancel();
  } finally {
    client.close();
    await service.stop();
    await rm(folder, { recursive: true });
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
