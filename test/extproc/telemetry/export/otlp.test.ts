import assert from "node:assert/strict";
import { readExportInterval, readOtlpSignals } from "../../../../extproc/cli/otlp-signals.ts";
import type { QueryEvent } from "../../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import { pushMetrics } from "../../../../extproc/telemetry/export/otlp-metrics.ts";
import { exportTraces } from "../../../../extproc/telemetry/export/otlp-traces.ts";
import { LATENCY_BOUNDS_US } from "../../../../extproc/telemetry/latency-buckets.ts";
import { createMetrics } from "../../../../extproc/telemetry/metrics.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import { eventOf, readEvent } from "../events.ts";
import { OtlpReceiver, valuesOf } from "./otlp-receiver.ts";

const START_US = 1_700_000_000_123_456;

describe("OpenTelemetry", function () {
  this.timeout(60_000);
  let receiver: OtlpReceiver;
  const troubles: string[] = [];
  beforeEach(async () => {
    troubles.length = 0;
    receiver = await OtlpReceiver.start();
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
    process.env.OTEL_RESOURCE_ATTRIBUTES = "deployment.environment.name=test";
  });
  afterEach(async () => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    delete process.env.OTEL_RESOURCE_ATTRIBUTES;
    await receiver.stop();
    assert.deepEqual(receiver.complaints, []);
  });

  describe("traces", () => {
    const open = (random = () => 0) => {
      const traces = exportTraces({
        now: Date.now,
        random,
        onTrouble: (message) => troubles.push(message),
        after: () => () => {},
      });
      const wants = (percent: number) => ({ clients: "Full", names: "Full", keepMs: 0, traces: percent }) as const;
      traces.configure?.({ events: "All", tenants: { frontend: wants(100), some: wants(25) } });
      const take = (...events: QueryEvent[]) => traces.take(events.map(readEvent), "east");
      return { traces, take };
    };

    it("have a span of the query, and in it the decision and the upstream, at their times", async () => {
      const { traces, take } = open();
      take(
        eventOf({
          outcome: 0,
          policy: "",
          rule: "",
          rcode: 0,
          ede: 0,
          cache: 2,
          latency_us: 900,
          decision_us: 300,
          upstream: "public",
          upstream_after_us: 350,
          upstream_us: 500,
          answers: Buffer.from([4, 192, 0, 2, 1]),
        }),
        eventOf({ tenant: "backend" }),
        eventOf({ outcome: 3, rcode: 2 }),
      );
      await traces.close();
      assert.deepEqual([traces.sent, traces.lost], [2, 0]);
      assert.deepEqual(receiver.resource, {
        "service.name": "envoy-dns-policy",
        "service.version": "0.1.0",
        "deployment.environment.name": "test",
      });
      const [query, ...others] = receiver.spans.filter(({ parent }) => parent === "");
      const children = receiver.spans.filter(({ parent }) => parent !== "");
      const span = (name: string, kind: number, start: number, end: number) => ({ name, kind, start, end });
      const timesOf = ({ name, kind, start, end }: (typeof children)[0]) =>
        span(name, kind, start - START_US, end - START_US);
      assert.ok(query);
      assert.deepEqual(timesOf(query), span("query", 2, 0, 900));
      assert.deepEqual(children.map(timesOf), [span("decision", 3, 0, 300), span("upstream", 3, 350, 850)]);
      for (const child of children) assert.deepEqual([child.trace, child.parent], [query.trace, query.id]);
      assert.equal(children[1]?.attributes["dns.mesh.upstream"], "public");
      assert.deepEqual(query.attributes, {
        "client.address": "127.0.1.1",
        "dns.question.name": "www.example.com.",
        "dns.answers": ["192.0.2.1"],
        "dns.mesh.transport": "dot",
        "dns.mesh.qtype": "AAAA",
        "dns.mesh.rcode": "NOERROR",
        "dns.mesh.tenant": "frontend",
        "dns.mesh.outcome": "forwarded",
        "dns.mesh.cache": "miss",
        "dns.mesh.revision": "7",
        "dns.mesh.upstream": "public",
      });
      assert.deepEqual(
        others.map(({ failed, attributes }) => [failed, attributes["dns.mesh.rule"]]),
        [[true, "deny-com"]],
      );
      assert.notEqual(others[0]?.trace, query.trace);
    });

    it("go on with those that clients have said, under the numbers that upstreams were told", async () => {
      const { traces, take } = open(() => 1);
      const id = "0af7651916cd43dd8448eb211c80319c";
      const trace = (parent: string) => Buffer.from(`${id}${parent}01`, "hex");
      const forwarded = { outcome: 0, rcode: 0, ede: 0, latency_us: 900, upstream: "public" } as const;
      const span = Buffer.from("00f067aa0ba902b7", "hex");
      take(
        eventOf({ ...forwarded, tenant: "some", trace: trace("b7ad6b7169203331"), span, upstream_us: 500 }),
        eventOf({ ...forwarded, tenant: "some", trace: trace("0000000000000000"), span, upstream_us: 0 }),
        eventOf({ ...forwarded, tenant: "some" }),
      );
      await traces.close();
      assert.deepEqual([traces.sent, traces.lost], [2, 0]);
      assert.deepEqual(
        receiver.spans.map(({ name, trace, parent }) => [name, trace, name === "query" ? parent : ""]),
        [
          ["upstream", id, ""],
          ["query", id, "b7ad6b7169203331"],
          ["query", id, ""],
        ],
      );
      assert.equal(receiver.spans[0]?.id, span.toString("hex"));
      assert.notEqual(receiver.spans[2]?.id, span.toString("hex"));
    });

    it("are of as many queries as the tenant wants", async () => {
      let drawn = 0;
      const { traces, take } = open(() => (drawn++ % 100) / 100);
      take(...Array.from({ length: 400 }, () => eventOf({ tenant: "some" })));
      await traces.close();
      assert.equal(receiver.spans.length, 100);
    });

    it("that nobody takes are lost, counted, and told of once", async () => {
      receiver.refuses = 400;
      const { traces, take } = open();
      take(eventOf(), eventOf({ decision_us: 100 }));
      await eventually(10_000, "the loss", () => traces.lost === 2);
      assert.match(troubles.join("\n"), /^traces cannot be sent by OTLP: .*$/);
      receiver.refuses = undefined;
      take(eventOf());
      await traces.close();
      assert.deepEqual([traces.sent, traces.lost, receiver.spans.length], [1, 2, 1]);
    });

    it("wait in a bounded number", async () => {
      const { traces, take } = open();
      take(...Array.from({ length: 3000 }, () => eventOf({ decision_us: 1, upstream_us: 1 })));
      assert.equal(traces.lost, 1000);
      await traces.close();
      assert.deepEqual([traces.sent, receiver.spans.length], [2000, 6000]);
    });
  });

  it("gets all that /metrics has, by names and units of its own", async () => {
    const metrics = createMetrics({ process: true });
    const labels = { tenant: 'x"\n\xff', transport: "udp", type: "A", outcome: "denied", rcode: "NXDOMAIN" };
    metrics.queries.inc(labels, 5);
    metrics.workers.set(3);
    metrics.latency.add({ tenant: "a", transport: "udp" }, [1, 2, ...new Array<number>(13).fill(0), 4], 1.5);
    metrics.latency.add({ tenant: "b", transport: "udp" }, [0, 1], 0.5);
    metrics.decisionDuration.observe(0.0002);
    const stop = pushMetrics({
      read: async () => metrics.registry,
      intervalMs: 50,
      now: Date.now,
      onTrouble: (message) => troubles.push(message),
    });
    await eventually(10_000, "a push", () => receiver.pushes > 1);
    await stop();
    const find = (name: string) => receiver.metrics.find((metric) => metric.name === name);
    const queries = find("dns_queries")?.sum;
    assert.deepEqual([queries?.aggregation_temporality, queries?.is_monotonic], [2, true]);
    assert.deepEqual(
      queries?.data_points.map(({ as_double, attributes }) => [as_double, valuesOf(attributes)]),
      [[5, labels]],
    );
    assert.equal(find("dns_workers_connected")?.gauge?.data_points[0]?.as_double, 3);
    const latency = find("dns_query_duration");
    assert.equal(latency?.unit, "s");
    const [a, b] = latency?.histogram?.data_points ?? [];
    assert.deepEqual(a?.bucket_counts?.map(Number), [1, 2, ...new Array<number>(13).fill(0), 4]);
    assert.deepEqual(
      a?.explicit_bounds,
      LATENCY_BOUNDS_US.map((bound) => bound / 1e6),
    );
    assert.deepEqual(
      [Number(a?.count), a?.sum, valuesOf(a?.attributes ?? [])],
      [7, 1.5, { tenant: "a", transport: "udp" }],
    );
    assert.deepEqual([Number(b?.count), b?.sum], [1, 0.5]);
    assert.equal(Number(find("dns_decision_duration")?.histogram?.data_points[0]?.count), 1);
    assert.equal(find("process_resident_memory")?.unit, "By");
    const known = (await metrics.registry.metrics()).match(/^# TYPE/gm) ?? [];
    assert.equal(receiver.metrics.length, known.length);
    assert.deepEqual(troubles, []);
  });

  it("is told nothing where the environment does not ask for it, or asks for what there is not", () => {
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };
    assert.deepEqual(readOtlpSignals({}), { metrics: false, traces: false });
    assert.deepEqual(readOtlpSignals({ OTEL_EXPORTER_OTLP_ENDPOINT: "" }), { metrics: false, traces: false });
    assert.deepEqual(readOtlpSignals(endpoint), { metrics: true, traces: true });
    assert.deepEqual(readOtlpSignals({ ...endpoint, OTEL_SDK_DISABLED: "TRUE" }), { metrics: false, traces: false });
    assert.deepEqual(readOtlpSignals({ ...endpoint, OTEL_TRACES_EXPORTER: "none" }), { metrics: true, traces: false });
    assert.deepEqual(readOtlpSignals({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://h/" }), {
      metrics: false,
      traces: true,
    });
    assert.throws(
      () => readOtlpSignals({ ...endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }),
      /http\/protobuf, got grpc/,
    );
    assert.throws(
      () => readOtlpSignals({ ...endpoint, OTEL_METRICS_EXPORTER: "console" }),
      /otlp or none, got console/,
    );
    assert.equal(readExportInterval({}), 60_000);
    assert.throws(() => readExportInterval({ OTEL_METRIC_EXPORT_INTERVAL: "1s" }), /milliseconds, got 1s/);
  });
});
