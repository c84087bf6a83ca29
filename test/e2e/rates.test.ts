/**
 * A rate is the tenant's, whichever worker its connections have come to: Envoy runs two, and the policy service divides
 * the rate between them.
 */
import { strict as assert } from "node:assert";
import { eventually } from "./clients/deadline.ts";
import type { StreamClient } from "./clients/stream.ts";
import { encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";

/** Queries a second that the rule lets through. */
const RATE = 200;
const BURST = 20;
const WORKERS = 2;
/** Until shares are told and what was too much at first is made up for. */
const SETTLING_MS = 2500;
const MEASURED_MS = 4000;
const TICK_MS = 20;

const policy = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: fair}
spec:
  tier: Admin
  priority: 1
  subject: {tenants: [everybody]}
  rules:
  - name: all
    match: {names: ["*.example"]}
    action: RateLimit
    rateLimit: {queries: ${RATE}, per: 1s, burst: ${BURST}, by: Tenant}`;

describe("a rate over two workers", function () {
  this.timeout(120_000);
  let stack: Stack;
  let connections: [first: StreamClient[], second: StreamClient[]];

  before(async () => {
    const zone = "www.example 300 A 192.0.2.1\nready.test 300 A 192.0.2.9";
    stack = await Stack.start({ policy, upstreams: { public: { zone } }, concurrency: WORKERS });
    connections = await openOnBoth(stack);
  });
  after(async () => {
    for (const connection of connections.flat()) connection.close();
    await stack.stop();
  });

  it("is the tenant's in all, where both workers have more than enough", async () => {
    const [first, second] = connections;
    assertRate(await passed([first, RATE * 2], [second, RATE * 2]));
  });

  it("is the tenant's in all, where one worker has nearly everything", async () => {
    const [first, second] = connections;
    assertRate(await passed([first, RATE * 3], [second, RATE / 10]));
    assertRate(await passed([first, RATE / 10], [second, RATE * 3]));
  });

  it("is divided equally, where the policy service is away", async () => {
    const [first, second] = connections;
    await stack.service.kill();
    // Shares that were told hold for ten seconds.
    await passed([first, RATE * 2], [second, RATE * 2]);
    await passed([first, RATE * 2], [second, RATE * 2]);
    assertRate(await passed([first, RATE * 2], [second, RATE * 2]));
    const one = await passed([first, RATE * 2]);
    assert.ok(Math.abs(one - RATE / WORKERS) <= RATE / 10, `expected ${RATE / WORKERS} a second, got ${one}`);
  });
});

function assertRate(got: number): void {
  assert.ok(Math.abs(got - RATE) <= RATE / 10, `expected ${RATE} a second within a tenth, got ${got}`);
}

/** Queries a second that pass, of so many that connections ask together. */
async function passed(...load: [connections: StreamClient[], perSecond: number][]): Promise<number> {
  let count = 0;
  const started = performance.now();
  let measuring = false;
  const asked: Promise<void>[] = [];
  await new Promise<void>((resolve) => {
    const sent = load.map(() => 0);
    const timer = setInterval(() => {
      const now = performance.now() - started;
      measuring = now >= SETTLING_MS;
      for (const [index, [connections, perSecond]] of load.entries()) {
        for (; (sent[index] ?? 0) < (now * perSecond) / 1000; sent[index] = (sent[index] ?? 0) + 1) {
          const connection = connections[(sent[index] ?? 0) % connections.length];
          const counted = measuring;
          const answered = connection?.ask(encodeQuestion("www.example")).then(({ rcode }) => {
            if (counted && rcode === "NOERROR") count++;
          });
          if (answered) asked.push(answered);
        }
      }
      if (now < SETTLING_MS + MEASURED_MS) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  await Promise.all(asked);
  return (count * 1000) / MEASURED_MS;
}

/** Connections of each worker, told apart by which of the two Envoy counts. */
async function openOnBoth(stack: Stack): Promise<[StreamClient[], StreamClient[]]> {
  const byWorker = new Map<string, StreamClient[]>();
  let before = await streamsByWorker(stack);
  await eventually(20_000, "connections on both workers", async () => {
    const connection = await stack.ask.tcp();
    await connection.ask(encodeQuestion("www.example"));
    const now = await streamsByWorker(stack);
    const worker = [...now].find(([name, count]) => count !== (before.get(name) ?? 0))?.[0];
    before = now;
    if (worker === undefined) return false;
    byWorker.set(worker, [...(byWorker.get(worker) ?? []), connection]);
    return byWorker.size === WORKERS && [...byWorker.values()].every(({ length }) => length >= 2);
  });
  const [first = [], second = []] = byWorker.values();
  return [first, second];
}

function streamsByWorker(stack: Stack): Promise<Map<string, number>> {
  return stack.stats(new RegExp(`^listener\\..*${stack.target.ports.tcp}\\.worker_\\d\\.downstream_cx_total$`));
}
