/**
 * A response policy zone of a real BIND: a million names by AXFR, then each change by NOTIFY and IXFR, live in the real
 * Envoy, and without a moment in which a listed name is answered.
 */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { encodeQuestion } from "../../e2e/dns.ts";
import { freePort } from "../../e2e/ports.ts";
import { Stack } from "../../e2e/stack.ts";
import { KEY_NAME, type Named, startNamed, ZONE } from "../../extproc/lists/named.ts";
import { decisionsMade } from "../decisions.ts";
import { Load } from "../load.ts";
import { anyZone, tenants } from "../policies.ts";
import { type Proof, type Report, scaled } from "../proof.ts";
import { listedName, zoneRecords } from "./many-names.ts";

const NAMES = 1_000_000;
const CHANGES = 20;
/** Of names that are listed all the time. */
const RATE = 500;
const ASKED = 500;
const WORKERS = 2;
/** Of those that a change would cost if workers forgot all: names near it, and what a busy machine has failed to decide. */
const DECIDED_ANEW = 1 / 4;
/** Workers tell every second what they have counted. */
const COUNTED_MS = 2500;
/** A table of a million names is made anew for each change. */
const LIVE_MS = 10_000;
const TRANSFER_MS = 120_000;

export const rpz: Proof = {
  name: "rpz",
  what: "1,000,000 names of a real BIND by AXFR, then IXFR on NOTIFY; a listed name is never answered meanwhile",
  async run(scale, report) {
    const count = scaled(NAMES, scale, 10_000);
    const notifyPort = await freePort();
    const upstreams = { public: { zone: anyZone } };
    const stack = await Stack.start({
      policy: tenants,
      upstreams,
      concurrency: WORKERS,
      serve: () => ["--list-notify", `127.0.0.1:${notifyPort}`],
    });
    let named: Named | undefined;
    try {
      named = await startNamed({ directory: join(stack.directory, "bind"), records: zoneRecords(count), notifyPort });
      const before = stack.service.program.residentBytes / 2 ** 20;
      const started = performance.now();
      await stack.apply(stack.policy({ policy: withList(named), upstreams }));
      await until(TRANSFER_MS, "the zone is there", async () => {
        // Each look costs the service something.
        await pause(200);
        return (await listStatus(stack)).names === count;
      });
      report.figure("names", count);
      report.inTime("AXFR until in force, s", (performance.now() - started) / 1000, TRANSFER_MS / 1000);
      report.figure("more memory of the service, MiB", stack.service.program.residentBytes / 2 ** 20 - before);
      await change(stack, named, scaled(CHANGES, scale, 3), count, report);
    } finally {
      await named?.stop();
      await stack.stop();
    }
  },
};

function withList({ port, secretFile }: Named): string {
  return `${tenants}
---
apiVersion: dns.mesh/v1alpha1
kind: NameList
metadata: {name: feed}
spec:
  transfer:
    zone: ${ZONE}
    primaries: [{address: 127.0.0.1, port: ${port}}]
    tsig: {name: ${KEY_NAME}, secretFile: ${secretFile}}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: feed}
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules: [{name: listed, match: {lists: [feed]}, action: Deny}]`;
}

async function change(stack: Stack, named: Named, changes: number, count: number, report: Report): Promise<void> {
  let answered = 0;
  await pause(COUNTED_MS);
  const decided = await decisionsMade(stack);
  const load = await Load.start({
    server: stack.ask.at("udp"),
    from: stack.ask.from("frontend"),
    rate: RATE,
    names: Array.from({ length: ASKED }, (_, index) => listedName((index * 7919) % count)),
    onAnswer: (_name, rcode) => {
      if (rcode === 0) answered++;
    },
  });
  const took: number[] = [];
  const result = await load.during(async () => {
    for (let number = 0; number < changes; number++) {
      const name = `new${number}.example.org`;
      const rcode = async () => (await stack.ask.udp(encodeQuestion(name))).rcode;
      const first = await rcode();
      report.check(first === "NOERROR", `${name}: expected an answer before it is listed, got ${first}`);
      const asked = performance.now();
      await named.update(`add ${name}.${ZONE}. 60 CNAME .`);
      await until(LIVE_MS, `${name} is denied`, async () => (await rcode()) === "NXDOMAIN");
      took.push(performance.now() - asked);
    }
  });
  took.sort((a, b) => a - b);
  report.figure("changes", changes);
  report.figure("nsupdate until denied, median ms", took[Math.floor(took.length / 2)] ?? 0);
  report.inTime("nsupdate until denied, longest ms", took.at(-1) ?? 0, LIVE_MS);
  report.figure("queries for listed names meanwhile", result.sent);
  report.atMost("of them answered", answered, 0);
  report.atMost("of them failed", result.failed, Math.ceil(result.sent * 0.001));
  report.figure("latency, p99 ms", result.p99Ms);
  await pause(COUNTED_MS);
  const most = WORKERS * ASKED * (1 + changes * DECIDED_ANEW);
  report.atMost(
    "decisions: one for each name and worker, and few for a change",
    (await decisionsMade(stack)) - decided,
    most,
  );
  const transfers = named.transfers();
  report.figure("whole transfers", transfers.whole);
  report.figure("transfers of changes", transfers.changes);
  report.check(transfers.whole === 1, `expected one AXFR, got ${transfers.whole}`);
  report.check(transfers.changes >= 1, "expected changes by IXFR, got none");
  const status = await listStatus(stack);
  report.check(status.error === "", `the list has an error: ${status.error}`);
  report.check(status.names === count + changes, `expected ${count + changes} names, got ${status.names}`);
}

async function listStatus(stack: Stack): Promise<{ names: number; error: string }> {
  const { body } = await stack.service.request("GET", "/v1/status");
  return JSON.parse(body).lists[0] ?? { names: 0, error: "" };
}

async function until(withinMs: number, what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await pause(20);
  }
}
