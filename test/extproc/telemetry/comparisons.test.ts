import assert from "node:assert/strict";
import type { EventBatch, EventBatch__Output } from "../../../extproc/gen/types/dns/mesh/v1/EventBatch.ts";
import { messageType } from "../../../extproc/messages/protos.ts";
import { TelemetryEngine } from "../../../extproc/telemetry/engine.ts";
import { createMetrics } from "../../../extproc/telemetry/metrics.ts";
import { type TelemetrySettings, USUAL_SETTINGS } from "../../../extproc/telemetry/settings.ts";

const batchType = messageType<EventBatch, EventBatch__Output>("dns.mesh.v1.EventBatch");

describe("what second upstreams say", () => {
  const comparison = (changes: object = {}) => ({
    time_us: 1_700_000_000_123_456,
    tenant: "frontend",
    qname: Buffer.from("\x03www\x07example\x00", "latin1"),
    qtype: 1,
    upstream: "candidate",
    result: 1,
    rcode: 3,
    answers: Buffer.from([4, 192, 0, 2, 1]),
    latency_us: 900,
    revision: 7,
    ...changes,
  });
  const open = (settings: TelemetrySettings = USUAL_SETTINGS) => {
    const engine = new TelemetryEngine({ now: () => 1_700_000_001_000 });
    engine.configure(settings);
    const take = (...comparisons: object[]) => engine.take(batchType.encode({ comparisons }), "node");
    return { engine, take };
  };

  it("is a line of the query log, and no query", async () => {
    const { engine, take } = open();
    const [line = ""] = take(comparison());
    assert.deepEqual(JSON.parse(line), {
      time: "2023-11-14T22:13:20.123456Z",
      tenant: "frontend",
      qname: "www.example.",
      qtype: "A",
      mirror: "different",
      upstream: "candidate",
      rcode: "NXDOMAIN",
      first_rcode: "NOERROR",
      answers: ["192.0.2.1"],
      latency_us: 900,
      revision: 7,
    });
    assert.equal((await engine.ask("counts", {})).events, 0);
  });

  it("is counted by tenant, upstream and result", async () => {
    const { engine, take } = open();
    take(comparison(), comparison({ result: 0 }), comparison({ result: 0 }), comparison({ upstream: "b", result: 2 }));
    const metrics = createMetrics();
    metrics.publish(await engine.ask("counts", {}));
    const text = await metrics.registry.metrics();
    const lines = text.split("\n").filter((one) => one.startsWith("dns_mirrored_total"));
    assert.deepEqual(lines, [
      'dns_mirrored_total{tenant="frontend",upstream="candidate",result="same"} 2',
      'dns_mirrored_total{tenant="frontend",upstream="candidate",result="different"} 1',
      'dns_mirrored_total{tenant="frontend",upstream="b",result="failed"} 1',
    ]);
  });

  it("is told by window: how often each said the same, and of which names it does not", async () => {
    const { engine, take } = open();
    take(comparison(), comparison({ qname: Buffer.from("\x03WWW\x07example\x00", "latin1") }));
    take(comparison({ result: 0 }), comparison({ tenant: "b", rcode: 0 }), comparison({ tenant: "b", result: 2 }));
    const { upstreams, differing } = await engine.ask("mirrors", { window: "15m", limit: 10 });
    assert.deepEqual(
      upstreams.map(({ latencyMs, ...counts }) => [counts, latencyMs?.max]),
      [
        [{ tenant: "frontend", upstream: "candidate", same: 1, different: 2, failed: 0 }, 0.9],
        [{ tenant: "b", upstream: "candidate", same: 0, different: 1, failed: 1 }, 0.9],
      ],
    );
    const name = { upstream: "candidate", name: "www.example.", type: "A", first: "NOERROR", over: 0 };
    assert.deepEqual(differing, [
      { tenant: "frontend", ...name, second: "NXDOMAIN", count: 2 },
      { tenant: "b", ...name, second: "NOERROR", count: 1 },
    ]);
    assert.deepEqual((await engine.ask("mirrors", { window: "15m", tenant: "b", limit: 10 })).differing.length, 1);
  });

  it("tells no name of a tenant that hides them", () => {
    const hidden = { clients: "Full", names: "Hashed" } as const;
    const { take } = open({
      ...USUAL_SETTINGS,
      tenants: { frontend: { ...hidden } as unknown as TelemetrySettings["tenants"][string] },
    });
    const [line = ""] = take(comparison());
    const { qname, answers } = JSON.parse(line);
    assert.match(qname, /^hash-[0-9a-f]{20}\.$/);
    assert.equal(answers, undefined);
  });
});
