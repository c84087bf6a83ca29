/**
 * What chance decides comes about as often as it is to, by the random numbers of the fake host.
 */
import { strict as assert } from "node:assert";
import { encodeQuestion } from "../e2e/dns.ts";
import { decodeTcp, encodeTcp } from "../host/framing.ts";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import type { Story } from "./story.ts";

const story: Story = {
  story: "chance",
  policy: `apiVersion: dns.mesh/v1alpha1
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
  - {name: half, match: {names: ["*"], percent: 50}, action: Deny}`,
  upstreams: { public: { protocol: "DoT", zone: "www.example.org 300 A 192.0.2.1" } },
  steps: [{ pass: 0 }],
};

const QUERIES = 20_000;
const BATCH = 50;

describe("chance", () => {
  it("falls as it is to: a tenth, half of the others, the rest", async function () {
    this.timeout(60_000);
    const world = await FakeWorld.open(filterWasm, story);
    const counts = new Map<number, number>();
    try {
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
    } finally {
      await world.close();
    }
    const share = (rcode: number) => (counts.get(rcode) ?? 0) / QUERIES;
    for (const [rcode, expected] of [
      [2, 0.1],
      [3, 0.45],
      [0, 0.45],
    ] as const) {
      assert.ok(Math.abs(share(rcode) - expected) < 0.01, `RCODE ${rcode}: expected ${expected}, got ${share(rcode)}`);
    }
  });
});
