/**
 * Queries that wait: for decisions, within limits; for revisions; for upstreams. And the reports of what became of them.
 */
import { strict as assert } from "node:assert";
import packet from "dns-packet";
import { describeAnswer, encodeQuestion } from "../../e2e/dns.ts";
import { encodeReply } from "../../e2e/records.ts";
import type { HttpCall } from "../../host/callouts.ts";
import type { Connection } from "../../host/connection.ts";
import { encodeTcp } from "../../host/framing.ts";
import { wireName } from "../wire/room.ts";
import { FlowLab, PIPE, TCP, type VerdictParts } from "./lab.ts";

const NOT_READY = "SERVFAIL; ede 14";
const DENIED = "NXDOMAIN; ede 15";

describe("the flow", () => {
  let lab: FlowLab;
  let client: Connection;
  /** Of revision 1, with one client that is known, by this verdict of its first question. */
  async function open(
    settings: Record<string, number> = {},
    parts: VerdictParts = {},
    plugins = [TCP, PIPE],
  ): Promise<void> {
    lab = await FlowLab.open(settings, plugins);
    client = lab.connect("192.0.2.1");
    lab.ask(client, "first.example");
    lab.revise(1, { lists: 1, service: 1 });
    lab.decide(decision(), parts);
    for (const pipe of lab.pipes) lab.serve(pipe);
    assert.equal(lab.answers(client).length, 1);
    lab.sync.takeAll();
  }

  /** The only decision that is waited for. */
  function decision(): HttpCall {
    const [call, ...others] = lab.decisions;
    assert.ok(call && others.length === 0, `expected one decision, got ${lab.decisions.length}`);
    return call;
  }

  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}.example`);
  const told = (connection = client) => lab.answers(connection).map(describeAnswer);

  describe("asks for decisions", () => {
    it("once, whoever of the same client asks the same", async () => {
      await open();
      const other = lab.connect("192.0.2.1");
      lab.ask(client, "same.example", "same.example", "SAME.example");
      lab.ask(other, "same.example");
      lab.decide(decision(), { denied: true });
      assert.deepEqual([told(), told(other)], [[DENIED, DENIED, DENIED], [DENIED]]);
    });

    it("16 at a time for a client, and in the end all", async () => {
      await open();
      lab.ask(client, ...names("a", 40));
      for (let answered = 0; answered < 40; answered++) {
        assert.equal(lab.decisions.length, Math.min(16, 40 - answered));
        lab.decide(lab.decisions[0] as HttpCall, { denied: true });
      }
      assert.deepEqual(told(), Array(40).fill(DENIED));
    });

    it("64 at a time for a tenant, which another does not notice, and in the end all", async () => {
      await open({}, { prefix: 8 });
      const clients = names("", 8).map((_, n) => lab.connect(`192.0.3.${n}`));
      for (const [n, each] of clients.entries()) lab.ask(each, ...names(`client${n}-`, 16));
      assert.equal(lab.decisions.length, 64);
      const other = lab.connect("198.51.100.1");
      lab.ask(other, "other.example");
      lab.decide(lab.decisions[64] as HttpCall, { subject: 2, denied: true });
      assert.deepEqual(told(other), [DENIED]);
      for (let round = 0; lab.decisions.length > 0; round++) {
        assert.ok(lab.decisions.length <= 64 && round < 10);
        for (const call of lab.decisions) lab.decide(call, { denied: true, prefix: 8 });
        lab.host.advance(50);
      }
      for (const each of clients) assert.deepEqual(told(each), Array(16).fill(DENIED));
    });

    it("512 at a time in a worker", async () => {
      await open();
      for (let n = 0; n < 40; n++) lab.ask(lab.connect(`198.51.100.${n}`), ...names(`client${n}-`, 16));
      assert.equal(lab.decisions.length, 512);
    });

    it("and takes for one only a 200 with a Verdict: all else is a failure, which nobody is to keep", async () => {
      await open();
      const type: [string, string][] = [["content-type", "application/x-protobuf"]];
      const answers: [what: string, respond: (call: HttpCall) => void][] = [
        ["another status", (call) => call.respond(500, type, lab.verdict(call, { denied: true }))],
        ["another type", (call) => call.respond(200, [["content-type", "text/plain"]], lab.verdict(call, {}))],
        ["no body", (call) => call.respond(200, type)],
        ["half a body", (call) => call.respond(200, type, lab.verdict(call, {}).subarray(0, -1))],
        ["no message", (call) => call.respond(200, type, "this is no protobuf message")],
        ["none in time", () => lab.host.advance(250)],
        ["Envoy's own 503", (call) => call.unavailable()],
        ["a reset", (call) => call.reset()],
      ];
      for (const [what, respond] of answers) {
        lab.ask(client, "again.example");
        respond(decision());
        const [answer] = lab.answers(client);
        assert.equal(answer && describeAnswer(answer), NOT_READY, what);
        assert.deepEqual(answer?.authorities, [], what);
      }
      assert.equal(lab.pipes.flatMap((pipe) => pipe.sent).length, 0, "nothing has left");
      lab.ask(client, "again.example");
      lab.decide(decision(), { denied: true });
      assert.deepEqual(told(), [DENIED]);
    });
  });

  it("holds only so many octets of answers for a tenant's queries that wait, and another's go on", async () => {
    await open({ pending_bytes_per_tenant: 320_000 });
    const addresses = Array.from({ length: 3000 }, (_, n) => `192.0.${n >> 8}.${n & 255}`);
    /** Each is an alias of a name of its own, which has some 50 KB of addresses, and waits to hear of that. */
    const askMuch = (connection: Connection, subject: number, ...asked: string[]) => {
      lab.ask(connection, ...asked);
      for (const call of lab.decisions) if (!lab.nameOf(call).startsWith("to-")) lab.decide(call, { subject });
      for (const pipe of lab.pipes) {
        for (const octets of pipe.takeAll()) {
          const query = packet.decode(Buffer.from(octets));
          const name = query.questions?.[0]?.name ?? "";
          const target = `to-${name}`;
          const alias = { type: "CNAME", name, ttl: 300, data: target } as const;
          const records = addresses.map((data) => ({ type: "A", name: target, ttl: 300, data }) as const);
          pipe.receive(encodeReply(query, { answers: [alias, ...records] }));
        }
      }
    };
    const tooMany = "SERVFAIL; ede 0";
    askMuch(client, 1, ...names("a", 10));
    assert.equal(lab.decisions.length, 5);
    assert.deepEqual(told(), Array(5).fill(tooMany));
    const other = lab.connect("192.0.2.2");
    askMuch(other, 2, "b.example");
    assert.equal(lab.decisions.length, 6, "another tenant has room of its own");
    for (const call of lab.decisions)
      lab.decide(call, { subject: lab.nameOf(call) === "to-b.example" ? 2 : 1, denied: true });
    assert.deepEqual([told(), told(other)], [Array(5).fill(DENIED), [DENIED]]);
    askMuch(client, 1, ...names("c", 5));
    assert.equal(lab.decisions.length, 5, "what is held no more is given back");
    assert.deepEqual(told(), []);
  });

  describe("with a policy that changes", () => {
    it("judges again twice, and then gives up", async () => {
      await open();
      lab.ask(client, "old.example");
      lab.revise(2);
      for (let times = 0; times < 3; times++) lab.decide(decision(), { revision: 1, denied: true });
      assert.deepEqual(told(), [NOT_READY]);
    });

    it("obeys no verdict of an older revision", async () => {
      await open();
      lab.ask(client, "old.example");
      lab.revise(2);
      lab.decide(decision(), { revision: 1 });
      lab.decide(decision(), { revision: 2, denied: true });
      assert.deepEqual(told(), [DENIED]);
    });

    it("waits for the revision that a verdict is ahead of, for a second", async () => {
      await open();
      lab.ask(client, "early.example");
      lab.decide(decision(), { revision: 2 });
      assert.deepEqual(told(), []);
      lab.revise(2);
      lab.decide(decision(), { revision: 2, denied: true });
      assert.deepEqual(told(), [DENIED]);
      lab.ask(client, "early.example.net");
      lab.decide(decision(), { revision: 3 });
      lab.host.advance(1100);
      assert.deepEqual(told(), [NOT_READY]);
    });

    it("goes on by what it knows of names that are far from those of a list that has changed", async () => {
      await open();
      const known = ["far.example", "near.example", "below.near.example"];
      const change = (lists: number, since = lists - 1) =>
        lab.revise(lists, { lists, lists_changed: { since, names: [wireName("near.example")] } });
      const learn = (revision: number, ...asked: string[]) => {
        lab.ask(client, ...asked);
        for (const call of lab.decisions) lab.decide(call, { revision, denied: true });
        assert.deepEqual(told(), Array(asked.length).fill(DENIED));
      };
      learn(1, ...known);
      lab.ask(client, "waiting.example");
      change(2);
      lab.decide(decision(), { revision: 1 });
      lab.decide(decision(), { revision: 2, denied: true });
      assert.deepEqual(told(), [DENIED], "what was under way is judged again");
      learn(2, "far.example");
      assert.equal(lab.decisions.length, 0);
      lab.ask(client, ...known);
      assert.deepEqual(
        lab.decisions.map((call) => lab.nameOf(call)),
        known.slice(1),
      );
      for (const call of lab.decisions) lab.decide(call, { revision: 2, denied: true });
      assert.deepEqual(told(), [DENIED, DENIED, DENIED]);
      change(5, 3);
      lab.ask(client, "far.example");
      lab.decide(decision(), { revision: 5, denied: true });
      assert.deepEqual(told(), [DENIED], "it does not know what was before, and asks for all anew");
      lab.sync.close(14, "away");
      lab.host.advance(1000);
      change(6);
      lab.ask(client, "far.example");
      lab.decide(decision(), { revision: 6, denied: true });
      assert.deepEqual(told(), [DENIED], "nor what another stream has brought");
    });

    it("waits for lists that a verdict is ahead of, and asks anew where it is behind them", async () => {
      await open();
      lab.ask(client, "early.example");
      lab.decide(decision(), { lists: 2 });
      assert.deepEqual(told(), []);
      lab.revise(1, { lists: 2 });
      const call = decision();
      lab.revise(1, { lists: 3 });
      lab.decide(call, { lists: 2 });
      lab.decide(decision(), { lists: 3, denied: true });
      assert.deepEqual(told(), [DENIED]);
    });

    it("asks anew of what it knows where one revision has other lists", async () => {
      await open();
      lab.revise(1, { lists: 2 });
      lab.ask(client, "first.example");
      lab.decide(decision(), { denied: true });
      assert.deepEqual(told(), [DENIED]);
    });

    it("does not go back to an older revision", async () => {
      await open();
      lab.revise(3);
      lab.sync.takeAll();
      lab.revise(2);
      assert.deepEqual(lab.sync.takeAll(), [], "it is not acknowledged");
      lab.ask(client, "back.example");
      lab.decide(decision(), { revision: 3, denied: true });
      assert.deepEqual(told(), [DENIED]);
    });
  });

  describe("with several policy services", () => {
    /** As a service does it, so that it is not taken for silent. */
    function pass(seconds: number, sequence = 1): void {
      for (let second = 0; second < seconds; second++) {
        lab.host.advance(1000);
        lab.tell({ heartbeat: { sequence } });
      }
    }

    it("opens its stream where decisions are, and is told there", async () => {
      await open();
      pass(5);
      const first = lab.sync;
      lab.ask(client, "by-another.example");
      lab.decide(decision(), { service: 2, denied: true });
      assert.deepEqual(told(), [DENIED], "one that has read the same is as good");
      assert.notEqual(lab.sync, first);
      lab.revise(1, { lists: 1, service: 2 });
      lab.ask(client, "by-another.example");
      assert.deepEqual(told(), [DENIED], "what is known holds");
    });

    it("does not obey one that has read other lists before it is told so", async () => {
      await open();
      pass(5);
      lab.ask(client, "other-lists.example");
      lab.decide(decision(), { service: 2, lists: 2, denied: true });
      assert.deepEqual(told(), []);
      lab.revise(1, { lists: 2, service: 2 });
      lab.decide(decision(), { service: 2, denied: true });
      assert.deepEqual(told(), [DENIED]);
    });

    it("does not go to and fro where each decision is another's", async () => {
      await open();
      pass(5);
      lab.ask(client, "a.example");
      lab.decide(decision(), { service: 2, denied: true });
      lab.revise(1, { lists: 1, service: 2 });
      const stream = lab.sync;
      lab.ask(client, "b.example");
      lab.decide(decision(), { service: 1, denied: true });
      assert.equal(lab.sync, stream);
      assert.deepEqual(told(), [DENIED, DENIED]);
      pass(5);
      assert.notEqual(lab.sync, stream, "in the end it does");
    });

    it("asks another for what it does not know, as soon as its stream has ended", async () => {
      await open();
      lab.sync.close(14, "gone");
      lab.ask(client, "cold.example");
      lab.decide(decision(), { service: 2, denied: true });
      assert.deepEqual(told(), [DENIED]);
      lab.host.advance(3100);
      lab.ask(client, "colder.example");
      assert.equal(lab.decisions.length, 0);
      assert.deepEqual(told(), [NOT_READY], "nobody has said for 3 s what is in force");
    });
  });

  describe("asks an upstream server", () => {
    it("a thousand questions on a connection, over four at most", async () => {
      await open({ pending_per_client: 10_000, stream_in_flight: 10_000 }, { wide: true });
      lab.ask(client, ...names("a", 1000));
      assert.equal(lab.pipes.length, 1);
      lab.ask(client, ...names("b", 3001));
      assert.deepEqual(
        lab.pipes.map(({ sent }) => sent.length),
        [1000, 1000, 1000, 1000],
      );
      assert.deepEqual(told(), ["SERVFAIL; ede 22"]);
      for (const pipe of lab.pipes) lab.serve(pipe);
      lab.host.advance(1000);
      assert.equal(told().filter((answer) => answer.startsWith("NOERROR")).length, 4000);
    });

    it("over another connection when one has answered nothing for as long as a try may take", async () => {
      await open({}, { wide: true });
      const [silent] = lab.pipes;
      // It has answered before.
      lab.host.advance(1);
      lab.ask(client, "silent.example");
      lab.host.advance(1600);
      assert.equal(silent?.cancelled, true);
      const [pipe] = lab.pipes;
      assert.ok(pipe);
      lab.serve(pipe);
      assert.deepEqual(told(), ["NOERROR; silent.example A 192.0.2.1"]);
    });

    it("again when it closed after it had answered, as often as that is", async () => {
      await open({}, { wide: true });
      lab.ask(client, "closing.example");
      for (let times = 0; times < 10; times++) {
        const [pipe] = lab.pipes;
        assert.equal(pipe?.sent.length, 1);
        lab.ask(client, `other${times}.example`);
        const [, other] = pipe.sent.splice(0, 2);
        pipe.sent.push(other as Uint8Array);
        lab.serve(pipe);
        pipe.close(2);
      }
      assert.equal(told().length, 10);
      for (const pipe of lab.pipes) lab.serve(pipe);
      assert.deepEqual(told(), ["NOERROR; closing.example A 192.0.2.1"]);
    });
  });

  it("goes on when a plugin comes later, as after a trap", async () => {
    await open({}, {}, [TCP]);
    lab.host.startPlugin(PIPE);
    lab.ask(client, "next.example");
    lab.decide(decision());
    const [pipe, ...others] = lab.pipes;
    assert.ok(pipe && others.length === 0);
    lab.serve(pipe);
    assert.deepEqual(told(), ["NOERROR; next.example A 192.0.2.1"]);
    lab.revise(2);
    assert.equal(lab.sync.takeAll().length, 1, "the revision is acknowledged");
    lab.host.advance(1000);
    assert.ok(lab.reports().length > 0);
  });

  it("counts a thousand tenants by their names, and all others as one", async () => {
    await open();
    for (let subject = 2; subject <= 1010; subject++) {
      const other = lab.connect(`198.51.${100 + (subject >> 8)}.${subject & 255}`);
      lab.ask(other, "www.example");
      lab.decide(decision(), { subject, denied: true });
      assert.deepEqual(told(other), [DENIED]);
      other.close();
    }
    lab.host.advance(1000);
    const tenants = new Map<string, number>();
    for (const { name, value } of lab.host.metrics.all) {
      const tenant = /^dns\.queries\..*tenant\.([^.]+)/.exec(name)?.[1];
      if (tenant) tenants.set(tenant, (tenants.get(tenant) ?? 0) + Number(value));
    }
    assert.equal(tenants.size, 1001);
    assert.equal(tenants.get("other"), 10);
    assert.equal(tenants.get("tenant1000"), 1);
  });

  describe("reports", () => {
    it("no more than four times without being heard, and says what it dropped", async () => {
      await open({}, { wide: true, denied: true });
      const pass = (seconds: number) => {
        for (let second = 0; second < seconds; second++) {
          lab.tell({ heartbeat: { sequence: 1 } });
          lab.ask(client, ...names(`second${second}-`, 90));
          lab.host.advance(1000);
          lab.answers(client);
        }
      };
      pass(250);
      const reports = lab.reports();
      assert.deepEqual(
        reports.map(({ number }) => number),
        [1, 2, 3, 4],
      );
      for (let turn = 0; turn < 8; turn++) {
        lab.tell({ report_ack: { number: reports.length } });
        lab.tell({ heartbeat: { sequence: 1 } });
        lab.host.advance(1000);
        reports.push(...lab.reports());
      }
      assert.deepEqual(
        reports.map(({ number }) => number),
        reports.map((_, index) => index + 1),
      );
      const sent = reports.reduce((sum, { events }) => sum + events.length, 0);
      const dropped = reports.reduce((sum, report) => sum + report.dropped_events, 0);
      assert.ok(dropped > 0);
      assert.equal(sent + dropped, 1 + 250 * 90, "every denial is told of, or counted");
    });

    it("what was lost with a stream that ended", async () => {
      await open({}, { wide: true, denied: true });
      lab.ask(client, ...names("first-", 50));
      lab.host.advance(1000);
      assert.equal(
        lab.reports().reduce((sum, { events }) => sum + events.length, 0),
        51,
      );
      lab.sync.close(14, "away");
      lab.host.advance(1000);
      lab.revise(1);
      lab.host.advance(1000);
      const [report] = lab.reports();
      assert.equal(report?.dropped_events, 51);
    });

    it("by the wall clock, the very first too", async () => {
      lab = await FlowLab.open({});
      client = lab.connect("192.0.2.1");
      lab.ask(client, "first.example");
      lab.revise(1);
      lab.decide(decision(), { denied: true });
      lab.host.advance(1000);
      const [first] = lab.reports().flatMap(({ events }) => events);
      assert.equal(first?.time_us, Number(lab.host.clock.wallNanoseconds / 1000n) - 1_000_000);
    });

    it("what no verdict was found for, where its tenant has all logged", async () => {
      for (const logAll of [false, true]) {
        await open({}, { logAll });
        lab.host.advance(1000);
        lab.reports();
        lab.ask(client, "other.example");
        decision().respond(500, [], new Uint8Array());
        assert.deepEqual(told(), [NOT_READY]);
        lab.host.advance(1000);
        const events = lab.reports().flatMap((report) => report.events);
        const failed = { tenant: "tenant1", outcome: 3, rcode: 2, logged: true };
        assert.deepEqual(
          events.map(({ tenant, outcome, rcode, logged }) => ({ tenant, outcome, rcode, logged })),
          logAll ? [failed] : [],
        );
      }
    });

    it("at once where somebody waits for each, and together while the service is behind", async () => {
      await open({}, { wide: true });
      lab.tell({ telemetry: { all_events: true, prompt: true } });
      lab.host.advance(1000);
      for (const { number } of lab.reports()) lab.tell({ report_ack: { number } });
      lab.reports();
      lab.ask(client, "a.example");
      for (const pipe of lab.pipes) lab.serve(pipe);
      const told = lab.reports();
      assert.deepEqual(
        told.map(({ events }) => events.map(({ ttl, answers }) => [ttl, Buffer.from(answers).toString("hex")])),
        [[[300, "04c0000201"]]],
      );
      lab.host.advance(10);
      for (let times = 0; times < 3; times++) lab.ask(client, "a.example");
      assert.deepEqual(lab.reports(), [], "the first report is not acknowledged");
      lab.tell({ report_ack: { number: told[0]?.number } });
      assert.deepEqual(
        lab.reports().map(({ events }) => events.length),
        [3],
      );
    });

    it("every query where the service asks for it, with what came of it", async () => {
      await open({}, { wide: true });
      lab.tell({ telemetry: { all_events: true } });
      lab.host.advance(100);
      lab.reports();
      lab.ask(client, "a.example");
      lab.host.advance(20);
      for (const pipe of lab.pipes) lab.serve(pipe);
      lab.ask(client, "a.example");
      client.send(encodeTcp(encodeQuestion("b.example", { type: "AXFR" })));
      lab.host.advance(200);
      const events = lab.reports().flatMap((report) => report.events);
      assert.deepEqual(
        events.map(({ outcome, rcode, cache, upstream, logged }) => ({ outcome, rcode, cache, upstream, logged })),
        [
          { outcome: 0, rcode: 0, cache: 2, upstream: "public", logged: false },
          { outcome: 0, rcode: 0, cache: 1, upstream: "", logged: false },
          { outcome: 2, rcode: 5, cache: 0, upstream: "", logged: false },
        ],
      );
      const [asked, kept] = events;
      assert.ok(asked && kept);
      assert.equal(Buffer.from(asked.answers).toString("hex"), "04c0000201");
      assert.deepEqual(kept.answers, asked.answers);
      assert.equal(asked.upstream_us, 20_000);
      assert.deepEqual([asked.upstream_server, kept.upstream_server], ["up/public/1", ""]);
      assert.equal(asked.latency_us, 20_000);
      assert.equal(kept.upstream_us, 0);
      assert.equal(asked.tenant, "tenant1");
      lab.tell({ telemetry: {} });
      lab.ask(client, "a.example");
      lab.host.advance(1000);
      assert.deepEqual(
        lab.reports().flatMap((report) => report.events),
        [],
      );
    });
  });
});
