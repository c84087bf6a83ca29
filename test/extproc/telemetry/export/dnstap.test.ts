import assert from "node:assert/strict";
import type { QueryEvent } from "../../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { exportDnstap } from "../../../../extproc/telemetry/export/dnstap.ts";
import type { EventExporter, ExportContext } from "../../../../extproc/telemetry/export/event-exporter.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { eventOf, readEvent } from "../events.ts";
import { DnstapCollector } from "./dnstap-collector.ts";

describe("dnstap", () => {
  let collector: DnstapCollector;
  let troubles: string[];
  let exporter: EventExporter | undefined;
  const context: ExportContext = {
    // Retries at once, and deadlines as they are.
    after: (milliseconds, task) => {
      const timer = setTimeout(task, milliseconds === 1000 ? 5 : milliseconds / 10);
      return () => clearTimeout(timer);
    },
    onTrouble: (message) => troubles.push(message),
    random: Math.random,
    now: Date.now,
  };
  beforeEach(async () => {
    troubles = [];
    collector = await DnstapCollector.open();
  });
  afterEach(async () => {
    await exporter?.close();
    await collector.close();
  });

  function open(): EventExporter {
    exporter = exportDnstap({ kind: "unix", path: collector.path }, context);
    return exporter;
  }
  const started = (times = 1) =>
    eventually(5000, `START ${times} times`, () => collector.controls.filter((type) => type === 2).length >= times);
  const take = (to: EventExporter, ...events: QueryEvent[]) => to.take(events.map(readEvent), "east-1");

  it("is what dnstap-read takes for answers, with the policy and the tenant in it", async () => {
    await collector.listen();
    const to = open();
    await started();
    const addresses = Buffer.concat([
      Buffer.from([4, 192, 0, 2, 1, 16]),
      Buffer.from("20010db8000000000000000000000001", "hex"),
    ]);
    take(
      to,
      eventOf({ transport: 0 }),
      eventOf({ transport: 3, outcome: 0, policy: "", rule: "", rcode: 0, ede: 0, answers: addresses, cache: 1 }),
      eventOf({ transport: 4, client: Buffer.from("20010db8000000000000000000000002", "hex"), rcode: 5 }),
      eventOf({ rcode: 4095, ede: 0 }),
      eventOf({ qname: Buffer.from('\x04"\n,\xff\x00', "latin1"), rcode: 23, client: Buffer.alloc(0) }),
      eventOf({ qname: Buffer.alloc(0), qtype: 0, outcome: 2, policy: "", rule: "", rcode: 1, ede: 0 }),
    );
    await to.close();
    assert.deepEqual([to.sent, to.lost, collector.controls], [6, 0, [4, 2, 3]]);
    const records = await collector.read();
    assert.deepEqual(
      records.map(({ identity, version }) => [identity, version]),
      records.map(() => ["east-1", "envoy-dns-policy 0.1.0"]),
    );
    const said = records.map(({ message }) => {
      const { type, socket_family, query_address, query_message, response_message } = message;
      return { type, from: `${socket_family} ${query_address}`, text: String(response_message ?? query_message) };
    });
    assert.deepEqual(
      said.map(({ type, from }) => `${type} ${from}`),
      [
        "CLIENT_RESPONSE INET 127.0.1.1",
        "CLIENT_RESPONSE INET 127.0.1.1",
        "CLIENT_RESPONSE INET6 2001:db8::2",
        "CLIENT_QUERY INET 127.0.1.1",
        "CLIENT_RESPONSE undefined undefined",
        "CLIENT_RESPONSE INET 127.0.1.1",
      ],
    );
    const has = (index: number, ...texts: (string | RegExp)[]) => {
      for (const text of texts) assert.match(said[index]?.text ?? "", new RegExp(text));
    };
    has(0, "status: NXDOMAIN", "flags: qr rd ra", "EDE: 15 \\(Blocked\\)", ";www.example.com.\\s+IN\\s+AAAA");
    has(1, "status: NOERROR", "IN\\s+A\\s+192.0.2.1", "IN\\s+AAAA\\s+2001:db8::1");
    has(2, "status: REFUSED");
    has(3, "flags: rd");
    has(4, "status: BADCOOKIE", String.raw`;\\"\\010,\\255.`);
    has(5, "undefined");
    assert.deepEqual(records[0]?.extra, {
      tenant: "frontend",
      outcome: "denied",
      policy: "no-com",
      rule: "deny-com",
      revision: 7,
    });
    assert.deepEqual(records[1]?.extra, { tenant: "frontend", outcome: "forwarded", revision: 7, cache: "hit" });
    // dnstap-read of BIND 9.18 knows UDP and TCP alone, and no policies.
    const [, doh, doh3] = collector.messages;
    assert.equal(doh?.socket_protocol, 4);
    assert.deepEqual([doh3?.socket_protocol, doh3?.http_protocol], [4, 3]);
    assert.deepEqual(
      collector.messages.map(
        ({ policy }) => policy && `${policy.rule} ${Object.hasOwn(policy, "action") ? policy.action : "-"}`,
      ),
      ["no-com/deny-com 1", null, "no-com/deny-com -", "no-com/deny-com 4", "no-com/deny-com -", null],
    );
    const { query_time_sec, query_time_nsec, response_time_nsec } = collector.messages[0] ?? {};
    assert.deepEqual(
      [Number(query_time_sec), query_time_nsec, response_time_nsec],
      [1_700_000_000, 123_456_000, 123_576_000],
    );
  });

  it("waits for a reader that is away, says so once, and comes back to one that was gone", async () => {
    const to = open();
    take(to, eventOf());
    await eventually(5000, "trouble", () => troubles.length > 0);
    await collector.listen();
    await started();
    await collector.stop();
    await eventually(5000, "more trouble", () => troubles.length > 1);
    take(to, eventOf(), eventOf());
    await collector.listen();
    await started(2);
    await to.close();
    assert.deepEqual([to.sent, to.lost, collector.frames.length], [3, 0, 3]);
    assert.equal(troubles.length, 2, troubles.join("\n"));
    assert.match(troubles[0] ?? "", /^dnstap: no connection to unix:.*, trying again: connect ENOENT/);
  });

  it("loses what comes beyond its bound, and counts that", async () => {
    const to = open();
    const many = Array.from({ length: 500 }, () => readEvent(eventOf()));
    for (let batch = 0; batch < 200; batch++) to.take(many, "east-1");
    assert.ok(to.lost > 0 && to.lost % 500 === 0, `${to.lost}`);
    const kept = 100_000 - to.lost;
    assert.ok(kept * 100 < 8 * 2 ** 20, `${kept} events are kept`);
    await collector.listen();
    await eventually(10_000, "what was kept", () => collector.frames.length === kept);
    assert.equal(to.sent, kept);
    take(to, eventOf());
    await eventually(5000, "another", () => to.sent === kept + 1);
  });

  it("gives up a reader that never accepts, or takes something else", async () => {
    collector.accepts = false;
    await collector.listen();
    const to = open();
    await eventually(5000, "a second try", () => collector.controls.length > 1);
    assert.match(troubles[0] ?? "", /it did not open within 5000 ms/);
    collector.accepts = true;
    collector.takes = "protobuf:other";
    await eventually(5000, "a third", () => collector.controls.length > 3);
    take(to, eventOf());
    await to.close();
    assert.deepEqual([to.sent, to.lost, collector.frames.length], [0, 1, 0]);
  });
});
