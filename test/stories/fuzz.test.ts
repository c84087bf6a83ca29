/**
 * The built filter against bytes that nobody sane sends, by fixed seeds: from clients, over every transport and in
 * pieces of any size, and from upstreams. Nothing traps, and a sound question is answered afterwards.
 */
import { strict as assert } from "node:assert";
import { encodeQuestion } from "../e2e/dns.ts";
import { answerFrom } from "../e2e/records.ts";
import { SeededRandom } from "../host/clock.ts";
import { concat } from "../host/context.ts";
import { encodeTcp } from "../host/framing.ts";
import { encodeCapsule, encodeField, encodeFrame, FrameType, Tunnel } from "../host/tunnel.ts";
import { filterWasm } from "../host/wasm.ts";
import { Mutator } from "../prove/mutate.ts";
import { FakeWorld } from "./fake-world.ts";
import { mutateBytes } from "./fuzz-bytes.ts";
import type { Story } from "./story.ts";

const story: Story = {
  story: "fuzz",
  policy: `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: everybody}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}`,
  upstreams: { public: { protocol: "DoT", zone: "www.example.org 300 A 192.0.2.1" } },
  steps: [{ pass: 0 }],
};

const MESSAGES = 4000;
const CHUNKS = [1, 2, 7, 65_536];

describe("fuzz", function () {
  this.timeout(120_000);
  let world: FakeWorld;
  beforeEach(async () => {
    world = await FakeWorld.open(filterWasm, story);
  });
  afterEach(async () => {
    const sound = { name: "www.example.org", type: "A", from: "127.0.0.77" } as const;
    for (const over of ["udp", "tcp", "doh-post"] as const) {
      const got = await world.ask({ ...sound, over }, 10_000);
      assert.equal(got?.answer.answers[0]?.data, "192.0.2.1", `a sound question over ${over}`);
    }
    await world.close();
  });

  const properties = (index: number) => ({ "source.address": `127.0.${index % 200}.1:5000` });

  for (const plugin of ["dns_tcp", "dns_dot"]) {
    it(`mutated questions over ${plugin}, framed right`, () => {
      const mutator = new Mutator(1);
      for (let index = 0; index < MESSAGES; index += 20) {
        const connection = world.host.connect(plugin, { properties: properties(index) });
        const bytes = encodeTcp(...Array.from({ length: 20 }, () => mutator.next()));
        const size = CHUNKS[(index / 20) % CHUNKS.length] ?? 1;
        for (let at = 0; at < bytes.length && connection.closedBy === undefined; at += size)
          connection.send(bytes.subarray(at, at + size));
        world.settle();
        connection.close();
      }
    });
  }

  it("octets without any framing over TCP", () => {
    const random = new SeededRandom(2);
    for (let index = 0; index < 300; index++) {
      const connection = world.host.connect("dns_tcp", { properties: properties(index) });
      for (let times = 0; times < 5 && connection.closedBy === undefined; times++)
        connection.send(random.bytes(random.below(300)));
      world.settle();
      connection.close();
    }
  });

  it("mutated questions over UDP sessions", () => {
    const mutator = new Mutator(3);
    const tunnel = new Tunnel(world.host, "dns_udp");
    for (let index = 0; index < MESSAGES; index++) {
      tunnel.open(`127.0.${index % 200}.2:${1024 + index}`, mutator.next());
      if (index % 50 === 0) world.settle();
    }
    assert.equal(tunnel.connection.closedBy, undefined, "what clients send does not end the tunnel");
  });

  it("broken HTTP/2 and capsules on the tunnel", () => {
    const random = new SeededRandom(4);
    for (let round = 0; round < 300; round++) {
      const tunnel = new Tunnel(world.host, "dns_udp");
      tunnel.open("127.0.0.3:1000", encodeQuestion("www.example.org"));
      for (let times = 0; times < 4 && tunnel.connection.closedBy === undefined; times++)
        tunnel.connection.send(brokenFrame(random));
      world.settle();
      tunnel.connection.close();
    }
  });

  it("mutated questions over HTTPS, by GET and POST", () => {
    const mutator = new Mutator(5);
    const random = new SeededRandom(5);
    for (let index = 0; index < MESSAGES / 2; index++) {
      const message = mutator.next();
      const get = index % 2 === 0;
      const text = index % 10 === 0 ? Buffer.from(random.bytes(40)).toString("latin1") : message.toString("base64url");
      const request = world.host.request(
        "dns_doh",
        [
          [":method", get ? "GET" : "POST"],
          [":path", get ? `/dns-query?dns=${text}` : "/dns-query"],
          [":authority", "dns.example"],
          ["content-type", "application/dns-message"],
        ],
        { end: get, properties: properties(index) },
      );
      const size = CHUNKS[index % CHUNKS.length] ?? 1;
      for (let at = 0; !get && at < message.length && !request.over; at += size)
        request.sendBody(message.subarray(at, at + size), at + size >= message.length);
      world.settle();
      if (!request.over) request.reset();
    }
  });

  it("mutated answers of an upstream", async () => {
    const random = new SeededRandom(6);
    const upstream = world.upstream("public");
    upstream.script = (asked) => ({
      messages: [mutateAnswer(random, answerFrom(upstream.zone, asked.query)), asked.wire],
    });
    for (let index = 0; index < MESSAGES; index++) {
      const name = index % 3 === 0 ? "www.example.org" : `n${index}.example.org`;
      const connection = world.host.connect("dns_tcp", { properties: properties(index) });
      connection.send(encodeTcp(encodeQuestion(name)));
      world.settle();
      connection.close();
      if (index % 500 === 0) await world.pass(5000);
    }
    upstream.script = (asked) => upstream.truth(asked);
    await world.pass(400_000);
  });

  it("mutated verdicts and revisions of a policy service", async () => {
    const random = new SeededRandom(7);
    world.policy.corrupt = (message) => mutateBytes(random, message);
    for (let index = 0; index < 1000; index++) {
      const connection = world.host.connect("dns_tcp", {
        properties: { "source.address": `10.${index >> 8}.${index & 255}.1:53` },
      });
      connection.send(encodeTcp(encodeQuestion(`n${index}.example.org`)));
      world.settle();
      connection.close();
      if (index % 100 === 0) await world.pass(1500);
    }
    world.policy.corrupt = undefined;
    await world.apply(story.policy);
    await world.pass(10_000);
  });
});

function brokenFrame(random: SeededRandom): Uint8Array {
  const type = random.pick([
    FrameType.Data,
    FrameType.Headers,
    FrameType.Settings,
    FrameType.Ping,
    FrameType.Continuation,
    200,
  ]);
  const payload = random.pick([
    () => random.bytes(random.below(200)),
    () => encodeCapsule(random.bytes(random.below(100))),
    () => concat(encodeField("x-src", "127.0.0.9:1"), random.bytes(random.below(30))),
    () => encodeField("x-src", "not an address"),
    () => new Uint8Array(0),
  ])();
  const frame = encodeFrame({ type, flags: random.below(256), stream: random.below(8), payload });
  if (random.below(4) === 0) frame[random.below(9)] = random.below(256);
  return frame;
}

/** Ids and questions stay right for most, so that the rest is read. */
function mutateAnswer(random: SeededRandom, answer: Buffer): Buffer {
  const at = random.below(4) === 0 ? 0 : 12;
  return Buffer.concat([answer.subarray(0, at), mutateBytes(random, answer.subarray(at))]);
}
