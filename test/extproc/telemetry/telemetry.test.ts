import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { Registry } from "prom-client";
import { presentAddress } from "../../../extproc/dns/address.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import { typeName } from "../../../extproc/dns/numbers.ts";
import { BucketHistogram } from "../../../extproc/telemetry/bucket-histogram.ts";
import { rcodeLabel, typeLabel } from "../../../extproc/telemetry/labels.ts";
import { LATENCY_BOUNDS_US } from "../../../extproc/telemetry/latency-buckets.ts";
import { LocalTelemetry } from "../../../extproc/telemetry/local-telemetry.ts";
import { createMetrics } from "../../../extproc/telemetry/metrics.ts";
import { fileLog, noQueryLog, type QueryLog, StreamLog } from "../../../extproc/telemetry/query-log.ts";
import { queryRecord } from "../../../extproc/telemetry/query-record.ts";
import { ReportQueue } from "../../../extproc/telemetry/report-queue.ts";
import { batchOf, eventOf, readEvent, reportOf } from "./events.ts";

function wire(...labels: (string | Buffer)[]): Buffer {
  const parts = labels.map((label) => Buffer.from(label as string));
  return Buffer.concat([...parts.flatMap((part) => [Buffer.from([part.length]), part]), Buffer.from([0])]);
}

describe("names of DNS", () => {
  it("escapes what is no plain character", () => {
    assert.equal(presentName(wire("www", "example")), "www.example.");
    assert.equal(presentName(wire("a.b", "c\\d", 'e"f')), 'a\\.b.c\\\\d.e"f.');
    assert.equal(presentName(wire(Buffer.from([0, 10, 32, 127, 255]))), "\\000\\010\\032\\127\\255.");
    assert.equal(presentName(Buffer.from([0])), ".");
    assert.equal(presentName(Buffer.alloc(0)), "");
    assert.equal(presentName(Buffer.from([5, 0x61])), "a.");
  });

  it("shortens IPv6 addresses as RFC 5952 does", () => {
    const text = (hex: string) => presentAddress(Buffer.from(hex, "hex"));
    assert.equal(text("7f000101"), "127.0.1.1");
    assert.equal(text("20010db8000000000000000000000001"), "2001:db8::1");
    assert.equal(text("00000000000000000000000000000000"), "::");
    assert.equal(text("20010db8000100010001000100010000"), "2001:db8:1:1:1:1:1:0");
    assert.equal(text("20010000000100000000000100000000"), "2001:0:1::1:0:0");
    assert.equal(text("7f00"), "");
  });

  it("names types and rcodes, and bounds them in labels", () => {
    assert.equal(typeName(65), "HTTPS");
    assert.equal(typeName(65280), "TYPE65280");
    assert.equal(typeLabel(65280), "other");
    assert.equal(typeLabel(0), "other");
    assert.equal(rcodeLabel(3), "NXDOMAIN");
    assert.equal(rcodeLabel(4000), "other");
  });
});

describe("the query log", () => {
  it("says a query in words", () => {
    assert.deepEqual(JSON.parse(queryRecord(readEvent(eventOf()))), {
      time: "2023-11-14T22:13:20.123456Z",
      tenant: "frontend",
      client: "127.0.1.1",
      transport: "dot",
      qname: "www.example.com.",
      qtype: "AAAA",
      outcome: "denied",
      policy: "no-com",
      rule: "deny-com",
      rcode: "NXDOMAIN",
      ede: 15,
      latency_us: 120,
      revision: 7,
    });
    const audits = [{ policy: "trial", rule: "no-ads", action: 1 as const }];
    const audited = readEvent(eventOf({ audits }));
    assert.deepEqual(JSON.parse(queryRecord(audited)).audit, [{ policy: "trial", rule: "no-ads", would: "deny" }]);
    const hostile = eventOf({ qname: Buffer.from('\x04"\n,\xff\x00', "latin1"), time_us: "18446744073709551615" });
    const line = queryRecord(readEvent(hostile));
    assert.doesNotMatch(line, /\n/);
    assert.equal(JSON.parse(line).qname, '"\\010,\\255.');
  });

  it("writes lines in order, and all of them before it is closed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    const path = join(folder, "q.jsonl");
    const log = fileLog(path, assert.fail);
    for (let i = 0; i < 1000; i++) assert.ok(log.write(`${i}`));
    await log.close();
    const expected = Array.from({ length: 1000 }, (_, index) => `${index}\n`).join("");
    assert.equal(await readFile(path, "utf8"), expected);
    assert.equal(log.write("late"), false);
    await rm(folder, { recursive: true });
  });

  it("goes on in a new file after the old one was moved away", async () => {
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    const path = join(folder, "q.jsonl");
    const first = fileLog(path, assert.fail);
    first.write("before");
    await first.close();
    const log = fileLog(path, assert.fail);
    await rename(path, `${path}.1`);
    log.reopen();
    log.write("after");
    await log.close();
    assert.equal(await readFile(path, "utf8"), "after\n");
    assert.equal(await readFile(`${path}.1`, "utf8"), "before\n");
    await rm(folder, { recursive: true });
  });

  it("drops lines instead of growing when nobody takes them", () => {
    const stuck = new Writable({ write: () => {} });
    const log = new StreamLog({ open: () => stuck, onError: assert.fail, maxWaiting: 200_000 });
    let taken = 0;
    for (let i = 0; i < 10_000; i++) if (log.write("x".repeat(99))) taken++;
    assert.ok(taken > 1000 && taken <= 2000, `${taken} lines`);
  });

  it("drops lines where the file cannot be written", async () => {
    let errors = 0;
    const log = fileLog("/nonexistent/q.jsonl", () => {
      errors++;
    });
    log.write("a");
    while (errors === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(log.write("b"), false);
    await log.close();
  });
});

describe("a histogram of whole buckets", () => {
  it("prints cumulative buckets", async () => {
    const registry = new Registry();
    const histogram = new BucketHistogram({
      name: "h",
      help: "Help.",
      labelNames: ["a"],
      buckets: [0.1, 1],
      registry,
    });
    histogram.add({ a: 'x"y' }, [1, 2, 3], 10.5);
    histogram.add({ a: 'x"y' }, [1], 0.05);
    histogram.add({ a: "z" }, [0, 0, 1, 99], 3);
    const text = await registry.metrics();
    assert.match(text, /# TYPE h histogram/);
    assert.match(text, /^h_bucket\{le="0.1",a="x\\"y"\} 2$/m);
    assert.match(text, /^h_bucket\{le="1",a="x\\"y"\} 4$/m);
    assert.match(text, /^h_bucket\{le="\+Inf",a="x\\"y"\} 7$/m);
    assert.match(text, /^h_sum\{a="x\\"y"\} 10.55$/m);
    assert.match(text, /^h_count\{a="x\\"y"\} 7$/m);
    assert.match(text, /^h_count\{a="z"\} 1$/m);
  });
});

describe("reports", () => {
  function setUp(queryLog: QueryLog = noQueryLog) {
    const metrics = createMetrics();
    const later: (() => void)[] = [];
    const telemetry = new LocalTelemetry({ now: () => 0 });
    const queue = new ReportQueue({ metrics, queryLog, telemetry, later: (task) => void later.push(task) });
    const turn = () => later.shift()?.();
    const drain = () => {
      while (later.length > 0) turn();
    };
    return { metrics, queue, telemetry, later, turn, drain };
  }

  it("become counters, histograms and lines", async () => {
    const lines: string[] = [];
    const { metrics, queue, telemetry, drain } = setUp({ ...noQueryLog, write: (line) => lines.push(line) > 0 });
    const buckets = LATENCY_BOUNDS_US.map((_, index) => index).concat(5);
    let done = 0;
    const report = reportOf({
      number: 1,
      dropped_events: 3,
      events: batchOf(
        eventOf(),
        eventOf({
          rcode: 5,
          audits: [{ policy: "trial", rule: "no-ads", action: 1 }],
          upstream: "public",
          upstream_us: 400,
        }),
        eventOf({ policy: "", outcome: 0, logged: false }),
      ),
      counters: [
        { tenant: "frontend", transport: 0, qtype: 1, outcome: 0, rcode: 0, cache: 1, count: "5000000000", audited: 2 },
        { tenant: "", transport: 9 as 0, qtype: 4000, outcome: 3, rcode: 2, count: 2 },
      ],
      latencies: [{ tenant: "frontend", transport: 4, buckets, sum_us: 1_500_000 }],
    });
    queue.push(report, "east", () => done++);
    drain();
    assert.equal(done, 1);
    assert.equal(lines.length, 2);
    metrics.publish(await telemetry.ask("counts", {}));
    const text = await metrics.registry.metrics();
    const expected = [
      'dns_queries_total{tenant="frontend",transport="udp",type="A",outcome="forwarded",rcode="NOERROR"} 5000000000',
      'dns_queries_total{tenant="-",transport="other",type="other",outcome="failed",rcode="SERVFAIL"} 2',
      'dns_cache_total{tenant="frontend",result="hit"} 5000000000',
      'dns_audited_queries_total{tenant="frontend",audit="would_deny"} 5000000000',
      'dns_audit_hits_total{tenant="frontend",policy="trial",rule="no-ads",would="deny"} 1',
      'dns_rule_hits_total{tenant="frontend",policy="no-com",rule="deny-com"} 2',
      'dns_upstream_duration_seconds_bucket{le="0.0005",upstream="public"} 1',
      'dns_upstream_duration_seconds_bucket{le="0.00025",upstream="public"} 0',
      'dns_upstream_duration_seconds_sum{upstream="public"} 0.0004',
      "dns_query_events_total 3",
      'dns_query_duration_seconds_bucket{le="0.00025",tenant="frontend",transport="doh3"} 1',
      'dns_query_duration_seconds_count{tenant="frontend",transport="doh3"} 110',
      'dns_query_duration_seconds_sum{tenant="frontend",transport="doh3"} 1.5',
      "dns_events_dropped_total 3",
    ];
    for (const line of expected) assert.ok(text.split("\n").includes(line), line);
  });

  it("count lines that the log did not take", async () => {
    const { metrics, queue, drain } = setUp({ ...noQueryLog, write: () => false });
    queue.push(reportOf({ events: batchOf(eventOf(), eventOf()) }), "east", () => {});
    drain();
    assert.match(await metrics.registry.metrics(), /^dns_query_log_dropped_total 2$/m);
  });

  it("are worked off a little at a time, and in order", () => {
    const { queue, turn } = setUp();
    const order: number[] = [];
    const counters = Array.from({ length: 500 }, () => ({ tenant: "frontend", count: 1 }));
    queue.push(reportOf({ number: 1, counters }), "east", () => order.push(1));
    queue.push(reportOf({ number: 2 }), "east", () => order.push(2));
    let turns = 0;
    while (order.length < 2) {
      turn();
      turns++;
    }
    assert.deepEqual(order, [1, 2]);
    assert.ok(turns >= 5, `${turns} turns`);
  });

  it("know no more than 1,000 tenants", async () => {
    const { metrics, queue, drain } = setUp();
    const counters = Array.from({ length: 1500 }, (_, index) => ({ tenant: `t${index}`, count: 1 }));
    queue.push(reportOf({ counters }), "east", () => {});
    drain();
    const text = await metrics.registry.metrics();
    assert.equal(text.match(/^dns_queries_total\{/gm)?.length, 1001);
    assert.match(text, /^dns_queries_total\{tenant="other",.*\} 500$/m);
  });
});
