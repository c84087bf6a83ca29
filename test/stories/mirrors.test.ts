/**
 * Questions that a second upstream is asked: so many at a time, and nobody notices.
 */
import { strict as assert } from "node:assert";
import { encodeQuestion } from "../e2e/dns.ts";
import { decodeTcp, encodeTcp } from "../host/framing.ts";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";

/** Of a worker (filter/flow/mirrors.ts). */
const MAX_UNDER_WAY = 256;

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: trial}
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules: [{name: all, match: {names: ["*"]}, action: Mirror, mirror: {upstream: candidate}}]`;

describe("mirrored questions", function () {
  this.timeout(60_000);
  let world: FakeWorld;
  afterEach(() => world.close());

  it("are bounded where the second upstream is silent, and the first one's answers come as ever", async () => {
    const zone = "*.example 300 A 192.0.2.1";
    const upstreams = { public: { protocol: "DoT", zone }, candidate: { protocol: "DoT", zone } } as const;
    world = await FakeWorld.open(filterWasm, { story: "mirrors", policy: POLICY, upstreams, steps: [{ pass: 0 }] });
    const candidate = world.upstream("candidate");
    const ask = (name: string, from: string) => world.ask({ name, type: "A", from, over: "tcp" }, 5000);
    await ask("known.example", "127.0.0.1");
    const { script } = candidate;
    candidate.script = () => ({ messages: [] });
    candidate.asked.length = 0;
    const connections = [1, 2, 3, 4].map((client) =>
      world.host.connect("dns_tcp", { properties: { "source.address": `127.0.0.${client}:5000` } }),
    );
    for (const [client, connection] of connections.entries()) {
      connection.send(
        encodeTcp(...Array.from({ length: 75 }, (_, index) => encodeQuestion(`n${client}-${index}.example`))),
      );
    }
    world.settle();
    await world.pass(100);
    const rcodes = connections.flatMap((one) => decodeTcp(one.take()).map((message) => (message[3] ?? 0) & 15));
    assert.deepEqual(rcodes, Array(300).fill(0));
    assert.equal(candidate.asked.length, MAX_UNDER_WAY);
    await world.pass(6000);
    const told = (await world.takeEvents(MAX_UNDER_WAY)).map(({ mirror }) => mirror);
    assert.equal(told.filter((mirror) => mirror === "candidate failed").length, MAX_UNDER_WAY);
    assert.equal(world.policy.droppedMirrors, 300 - MAX_UNDER_WAY);
    // There is room again.
    candidate.asked.length = 0;
    candidate.script = script;
    await ask("later.example", "127.0.0.1");
    await world.pass(100);
    assert.ok(candidate.asked.length >= 1);
  });
});
