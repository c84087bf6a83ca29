/** Upstreams of several servers, and what may be asked of their TLS, on a real Envoy. */
import { strict as assert } from "node:assert";
import { createHash, X509Certificate } from "node:crypto";
import type { UpstreamServer } from "../../extproc/server/certificates/upstream-certificates.ts";
import type { Upstreams } from "../../extproc/telemetry/questions.ts";
import { joinDocuments } from "../stories/world.ts";
import { eventually } from "./clients/deadline.ts";
import { encodeQuestion } from "./dns.ts";
import { emptyReply } from "./records.ts";
import { Stack } from "./stack.ts";
import { ScriptedUpstream } from "./upstream.ts";

const zone = "*.test.org 300 A 192.0.2.1\n*.other.org 300 A 192.0.2.2\nready.test 300 A 192.0.2.1";
const tenant = (upstream: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: backend}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: ${upstream}, cache: Own}`;

describe("Upstreams", function () {
  this.timeout(60_000);
  let stack: Stack;
  let servers: ScriptedUpstream[];
  let names = 0;
  /** Number of the upstream that was applied last. */
  let last = 0;

  before(async () => {
    stack = await Stack.start({ policy: tenant("one"), upstreams: { one: { zone }, two: { zone }, three: { zone } } });
    servers = [...stack.upstreams.values()];
  });
  after(() => stack.stop());
  beforeEach(() => {
    for (const server of servers) server.reset(zone);
  });

  const server = (upstream: ScriptedUpstream, more: object = {}) => ({
    address: "127.0.0.1",
    port: upstream.ports.dot,
    serverName: "dns.upstream.example",
    ...more,
  });
  /** Applies an upstream with these servers, by its own name so that nothing is known of it. */
  const apply = async (spec: object) => {
    const name = `u${++names}`;
    last = names;
    const all = { protocol: "DoT", ...spec, tls: { ca: stack.certificates.ca, ...(spec as { tls?: object }).tls } };
    const text = JSON.stringify({ apiVersion: "dns.mesh/v1alpha1", kind: "Upstream", metadata: { name }, spec: all });
    await stack.apply(joinDocuments(tenant(name), text));
  };
  const ask = async (count: number): Promise<string[]> => {
    const rcodes: string[] = [];
    for (let index = 0; index < count; index++) {
      const answer = await stack.ask.udp(encodeQuestion(`n${++names}.test.org`), "backend");
      rcodes.push(answer.rcode);
    }
    return rcodes;
  };
  const counts = () => servers.map(({ count }) => count);
  const get = async <T>(path: string) => JSON.parse((await stack.service.request("GET", path)).body) as T;
  /** By telemetry, how many answers of the upstream that was applied last each server gave. */
  const told = async (): Promise<number[]> => {
    const { servers: known } = await get<{ servers: UpstreamServer[] }>("/v1/upstreams");
    const { upstreams } = await get<Upstreams>("/v1/telemetry/upstreams");
    const answers = upstreams.find(({ upstream }) => upstream === `u${last}`)?.servers ?? [];
    return servers.map(({ ports }) => {
      const cluster = known.find(({ port }) => port === ports.dot)?.cluster;
      return answers.find((each) => each.cluster === cluster)?.answers ?? 0;
    });
  };
  const good = (count: number) => Array.from({ length: count }, () => "NOERROR");

  it("are asked in order, the next priority only when all of one are away", async () => {
    const [one, two, three] = servers as [ScriptedUpstream, ScriptedUpstream, ScriptedUpstream];
    await apply({ servers: [server(three, { priority: 1 }), server(one), server(two)] });
    assert.deepEqual(await ask(5), good(5));
    assert.deepEqual(counts(), [5, 0, 0]);
    for (const each of [one, two]) each.script = () => ({ messages: [], close: true });
    // Two tries are all that a query has: the first ones find out.
    await ask(3);
    assert.deepEqual(await ask(10), good(10));
    assert.ok(three.count >= 10, `${counts()}`);
  });

  it("are asked in turn with RoundRobin", async () => {
    await apply({ strategy: "RoundRobin", servers: servers.map((each) => server(each)) });
    assert.deepEqual(await ask(30), good(30));
    assert.deepEqual(counts(), [10, 10, 10]);
    await eventually(5000, "events of all answers", async () => (await told()).join() === "10,10,10");
  });

  it("are asked by their speed with Fastest, and one that becomes fast is found", async () => {
    const [one, two] = servers as [ScriptedUpstream, ScriptedUpstream];
    one.script = (asked) => ({ ...one.truth(asked), delayMs: 30 });
    await apply({ strategy: "Fastest", servers: [server(one), server(two)] });
    await ask(40);
    assert.ok(two.count >= 36, `the slow one was asked too often: ${counts()}`);
    one.reset(zone);
    two.script = (asked) => ({ ...two.truth(asked), delayMs: 30 });
    await eventually(30_000, "the other one is asked", async () => {
      const before = one.count;
      await ask(10);
      return one.count - before >= 8;
    });
  });

  it("are asked two at a time with Race, and the first good answer counts", async () => {
    const [one, two] = servers as [ScriptedUpstream, ScriptedUpstream];
    await apply({ strategy: "Race", servers: [server(one), server(two)] });
    await ask(4);
    assert.deepEqual(counts().slice(0, 2), [4, 4]);
    one.script = (asked) => ({ ...one.truth(asked), delayMs: 1000 });
    const started = performance.now();
    assert.deepEqual(await ask(5), good(5));
    assert.ok(performance.now() - started < 1000, "it waited for the slow one");
    await eventually(5000, "the answers of who was faster", async () => {
      const [first = 0, second = 0] = await told();
      return first + second === 9 && second >= 5;
    });
    // A failure wins no race.
    one.script = (asked) => ({ messages: [emptyReply(asked.wire, 2)] });
    two.script = (asked) => ({ ...two.truth(asked), delayMs: 50 });
    assert.deepEqual(await ask(5), good(5));
    // Nor does one that closes connections.
    one.script = () => ({ messages: [], close: true });
    assert.deepEqual(await ask(20), good(20));
    one.script = (asked) => ({ messages: [emptyReply(asked.wire, 2)] });
    two.script = (asked) => ({ messages: [emptyReply(asked.wire, 2)] });
    assert.deepEqual(await ask(1), ["SERVFAIL"]);
  });

  it("answer each question with its own answer in a Race, however connections end", async () => {
    const [one, two] = servers as [ScriptedUpstream, ScriptedUpstream];
    await apply({ strategy: "Race", servers: [server(one), server(two)] });
    for (const [index, each] of [one, two].entries()) {
      each.script = (asked) => ({
        ...each.truth(asked),
        delayMs: asked.numberOnConnection % 5,
        close: asked.numberOnConnection % (7 + index) === 0,
      });
    }
    for (let round = 0; round < 20; round++) {
      const questions = Array.from({ length: 40 }, (_, index) => [`n${++names}`, index % 2 === 0 ? "test" : "other"]);
      await Promise.all(
        questions.map(async ([name, zone]) => {
          const answer = await stack.ask.udp(encodeQuestion(`${name}.${zone}.org`), "backend");
          if (answer.rcode === "SERVFAIL") return;
          const address = zone === "test" ? "192.0.2.1" : "192.0.2.2";
          assert.deepEqual(
            answer.answers.map(({ name: owner, data }) => [owner, data]),
            [[`${name}.${zone}.org`, address]],
          );
        }),
      );
    }
  });

  it("are checked where that is asked for: one that is ill is not asked, and one that is well again is", async () => {
    const [one, two] = servers as [ScriptedUpstream, ScriptedUpstream];
    const check = "health.test.org";
    one.script = (asked) => (asked.name === check ? { messages: [emptyReply(asked.wire, 2)] } : one.truth(asked));
    await apply({ healthCheck: { interval: "1s", name: check }, servers: [server(one), server(two)] });
    const others = () => one.asked.filter(({ name }) => name !== check).length;
    await ask(1);
    await eventually(10_000, "the first server is checked", async () => one.names.has(check));
    await eventually(10_000, "it counts as away", async () => {
      const before = others();
      await ask(3);
      return others() === before;
    });
    one.reset(zone);
    await eventually(10_000, "it is asked again", async () => {
      await ask(1);
      return others() > 0;
    });
  });

  it("get no padding where it is not wanted", async () => {
    const [one] = servers as [ScriptedUpstream];
    await apply({ servers: [server(one)] });
    await ask(1);
    assert.equal((one.asked[0]?.wire.length ?? 0) % 128, 0, "padded by default (RFC 8467)");
    one.reset(zone);
    await apply({ padding: false, servers: [server(one)] });
    await ask(1);
    assert.ok((one.asked[0]?.wire.length ?? 0) < 64);
  });

  it("must have a pinned key", async () => {
    const [one] = servers as [ScriptedUpstream];
    const key = new X509Certificate(stack.certificates.upstream.cert).publicKey.export({ type: "spki", format: "der" });
    const pin = createHash("sha256").update(key).digest("base64");
    const other = createHash("sha256").update("another").digest("base64");
    await apply({ tls: { pins: [other] }, servers: [server(one)] });
    assert.deepEqual(await ask(1), ["SERVFAIL"]);
    assert.equal(one.count, 0, "nothing was sent to it");
    await apply({ tls: { pins: [other, pin] }, servers: [server(one)] });
    assert.deepEqual(await ask(2), good(2));
  });

  it("are shown a certificate, and spoken to by TLS 1.3 alone, where that is asked for", async () => {
    const { upstream, ca } = stack.certificates;
    const client = await stack.certificates.client(["spiffe://mesh.example/dns"]);
    const strict = await ScriptedUpstream.start({
      tls: { ...upstream, ca, requestCert: true, rejectUnauthorized: true, maxVersion: "TLSv1.2" },
      zone,
    });
    try {
      await apply({ servers: [server(strict)] });
      assert.deepEqual(await ask(1), ["SERVFAIL"]);
      const clientCertificate = { certificateFile: client.certFile, keyFile: client.keyFile };
      await apply({ tls: { clientCertificate }, servers: [server(strict)] });
      assert.deepEqual(await ask(2), good(2));
      await apply({ tls: { clientCertificate, minimumVersion: "1.3" }, servers: [server(strict)] });
      assert.deepEqual(await ask(1), ["SERVFAIL"]);
    } finally {
      await strict.stop();
    }
  });
});
