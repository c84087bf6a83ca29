/**
 * What chance decides comes about as often as it is to, by the random numbers of the fake host.
 */
import { strict as assert } from "node:assert";
import { encodeQuestion } from "../e2e/dns.ts";
import { decodeTcp, encodeTcp } from "../host/framing.ts";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import type { Story } from "./story.ts";

const tell = (policy: string): Story => ({
  story: "chance",
  policy,
  upstreams: { public: { protocol: "DoT", zone: "www.example.org 300 A 192.0.2.1" } },
  steps: [{ pass: 0 }],
});

const drawn = tell(`apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: chance}
spec:
  priority: 1
  subject: {tenants: [everybody]}
  rules:
  - {name: tenth, match: {names: ["*"], percent: 10}, action: Fault, fault: {code: SERVFAIL}}
  - {name: half, match: {names: ["*"], percent: 50}, action: Deny}`);

const sampled = tell(`apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec:
  match: [{cidrs: ["127.0.0.0/8"]}]
  upstream: public
  telemetry: {log: All, sample: 10}`);

const QUERIES = 20_000;
const BATCH = 50;

/** Asks as often as that, and counts RCODEs. */
async function ask(world: FakeWorld): Promise<Map<number, number>> {
  const counts = new Map<number, number>();
  await world.ask({ name: "www.example.org", type: "A", from: "127.0.0.1", over: "udp" }, 5000);
  const questions = encodeTcp(...Array.from({ length: BATCH }, () => encodeQuestion("www.example.org")));
  for (let sent = 0; sent < QUERIES; sent += BATCH) {
    const connection = world.host.connect("dns_tcp", { properties: { "source.address": "127.0.0.1:5000" } });
    connection.send(questions);
    world.settle();
    for (const message of decodeTcp(connection.take())) {
      const rcode = (message[3] ?? 0) & 15;
      counts.set(rcode, (counts.get(rcode) ?? 0) + 1);
    }
    connection.close();
  }
  return counts;
}

describe("chance", () => {
  it("falls as it is to: a tenth, half of the others, the rest", async function () {
    this.timeout(60_000);
    const world = await FakeWorld.open(filterWasm, drawn);
    const counts = await ask(world).finally(() => world.close());
    const share = (rcode: number) => (counts.get(rcode) ?? 0) / QUERIES;
    for (const [rcode, expected] of [
      [2, 0.1],
      [3, 0.45],
      [0, 0.45],
    ] as const) {
      assert.ok(Math.abs(share(rcode) - expected) < 0.01, `RCODE ${rcode}: expected ${expected}, got ${share(rcode)}`);
    }
  });

  it("leaves a tenth of the queries in the log where the tenant wants no more", async function () {
    this.timeout(60_000);
    const world = await FakeWorld.open(filterWasm, sampled);
    try {
      const counts = await ask(world);
      assert.equal(counts.get(0), QUERIES);
      // More than there are: until no more come.
      const share = (await world.takeEvents(QUERIES)).length / QUERIES;
      assert.ok(Math.abs(share - 0.1) < 0.01, `expected a tenth, got ${share}`);
    } finally {
      await world.close();
    }
  });
});
