/**
 * What a tenant may have at a time: waiting queries, connections, and a part of the cache.
 */
import { strict as assert } from "node:assert";
import { encodeQuestion } from "../e2e/dns.ts";
import { decodeTcp, encodeTcp } from "../host/framing.ts";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import type { Story } from "./story.ts";

const REFUSED = 5;
const SERVFAIL = 2;

const tenant = (name: string, network: number, spec: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${name}}
spec: {match: [{cidrs: ["127.0.${network}.0/24"]}], upstream: public${spec}}`;

const story = (...tenants: string[]): Story => ({
  story: "limits",
  policy: tenants.join("\n---\n"),
  upstreams: { public: { protocol: "DoT", zone: "*.example 300 A 192.0.2.1" } },
  steps: [{ pass: 0 }],
});

describe("limits of a tenant", function () {
  this.timeout(60_000);
  let world: FakeWorld;
  afterEach(() => world.close());

  const connect = (from: string) =>
    world.host.connect("dns_tcp", { properties: { "source.address": `${from}:${5000 + connections++}` } });
  let connections = 0;
  const know = (from: string) => world.ask({ name: "known.example", type: "A", from, over: "tcp" }, 5000);
  const rcodesOf = (octets: Uint8Array) => decodeTcp(octets).map((message) => (message[3] ?? 0) & 15);
  const questions = (name: string, count: number) =>
    encodeTcp(...Array.from({ length: count }, (_, index) => encodeQuestion(`${name}${index}.example`)));

  it("bound its waiting queries, and their octets, over all of its clients, and leave others theirs", async () => {
    const bounded = story(tenant("few", 1, ", limits: {pending: 30}"), tenant("many", 2, ""));
    world = await FakeWorld.open(filterWasm, bounded);
    // Whose the first are is not known when they come: they wait for a decision, and are counted then.
    const unknown = connect("127.0.1.9");
    unknown.send(questions("early", 40));
    world.settle();
    await world.pass(100);
    const early = rcodesOf(unknown.take());
    assert.equal(early.length, 40);
    assert.equal(early.filter((rcode) => rcode === REFUSED).length, 10);
    await know("127.0.1.1");
    await know("127.0.2.1");
    const upstream = world.upstream("public");
    upstream.script = () => ({ messages: [] });
    const [first, second, other] = [connect("127.0.1.1"), connect("127.0.1.2"), connect("127.0.2.1")];
    first.send(questions("a", 20));
    second.send(questions("b", 20));
    other.send(questions("c", 90));
    world.settle();
    assert.deepEqual(rcodesOf(first.take()), []);
    assert.deepEqual(rcodesOf(second.take()), Array(10).fill(REFUSED));
    assert.deepEqual(rcodesOf(other.take()), []);
    // What is answered at once does not wait.
    second.send(encodeTcp(encodeQuestion("known.example")));
    world.settle();
    assert.deepEqual(rcodesOf(second.take()), [0]);
    // However many more it asks, nothing is held for them: what is refused takes no memory.
    const before = world.host.vm.memory.size;
    for (let round = 0; round < 200; round++) {
      second.send(questions(`r${round}-`, 60));
      world.settle();
      assert.deepEqual(rcodesOf(second.take()), Array(60).fill(REFUSED));
    }
    assert.equal(world.host.vm.memory.size, before);
    await world.pass(5000);
    assert.deepEqual(rcodesOf(first.take()), Array(20).fill(SERVFAIL));
    assert.deepEqual(rcodesOf(other.take()), Array(90).fill(SERVFAIL));
    const limited = (await world.takeEvents(0)).filter(({ outcome }) => outcome === "LIMITED");
    assert.ok(limited.length >= 10);
    assert.ok(limited.every(({ tenant, rule }) => tenant === "few" && rule === "pending"));
  });

  it("bound its connections over all of its clients", async () => {
    const bounded = story(tenant("few", 1, ", limits: {connections: 3}"), tenant("many", 2, ""));
    world = await FakeWorld.open(filterWasm, bounded);
    await know("127.0.1.1");
    await know("127.0.2.1");
    const ask = (from: string) => {
      const connection = connect(from);
      connection.send(encodeTcp(encodeQuestion("known.example")));
      world.settle();
      return { connection, rcodes: rcodesOf(connection.take()) };
    };
    const open = [ask("127.0.1.1"), ask("127.0.1.2"), ask("127.0.1.3")];
    assert.ok(open.every(({ rcodes }) => rcodes[0] === 0));
    assert.deepEqual(ask("127.0.1.4").rcodes, []);
    assert.deepEqual(ask("127.0.1.1").rcodes, []);
    assert.deepEqual(ask("127.0.2.1").rcodes, [0]);
    open[0]?.connection.close();
    assert.deepEqual(ask("127.0.1.4").rcodes, [0]);
    assert.deepEqual(ask("127.0.1.5").rcodes, []);
  });

  it("keep its answers in its own part of the cache", async () => {
    const bounded = story(tenant("few", 1, ", cache: Own, limits: {cacheShare: 10}"), tenant("many", 2, ""));
    world = await FakeWorld.open(filterWasm, bounded, "answer_cache_bytes=1048576");
    await know("127.0.1.1");
    await know("127.0.2.1");
    const upstream = world.upstream("public");
    const other = connect("127.0.2.1");
    other.send(questions("kept", 60));
    world.settle();
    await world.pass(100);
    assert.equal(rcodesOf(other.take()).length, 60);
    // Ten times what its part holds.
    for (let round = 0; round < 100; round++) {
      const busy = connect("127.0.1.1");
      busy.send(questions(`r${round}-`, 60));
      world.settle();
      await world.pass(50);
      assert.equal(rcodesOf(busy.take()).length, 60);
      busy.close();
    }
    upstream.asked.length = 0;
    other.send(questions("kept", 60));
    world.settle();
    assert.deepEqual(rcodesOf(other.take()), Array(60).fill(0));
    assert.equal(upstream.asked.length, 0, "all of the other tenant's are still kept");
    const again = connect("127.0.1.1");
    again.send(questions("r0-", 60));
    world.settle();
    await world.pass(50);
    assert.ok(upstream.asked.length > 0, "its own were not all kept");
  });
});
