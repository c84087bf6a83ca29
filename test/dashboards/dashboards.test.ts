/**
 * What Prometheus and Grafana are given: rules and queries that name metrics that there are, and metrics that Prometheus'
 * own tool finds nothing wrong with, whatever clients ask for.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Harness, until } from "../extproc/server/harness.ts";
import { WorkerPeer } from "../extproc/server/peers.ts";
import { batchOf, eventOf } from "../extproc/telemetry/events.ts";

const fileOf = (name: string) => fileURLToPath(new URL(`../../dashboards/${name}`, import.meta.url));
const textOf = (name: string) => readFileSync(fileOf(name), "utf8");
const METRIC = /\bdns_[a-z_]+/g;
const HOSTILE = ['"', "\\", "\n", "{}", "<script>", "\xff", "a=b,c", "%s", "é"];

describe("dashboards and alerts", () => {
  let harness: Harness;
  before(async () => {
    harness = await Harness.start();
    const worker = WorkerPeer.hello(harness.client(), { node: "east" });
    const events = HOSTILE.map((text) => {
      const label = Buffer.from(text, "latin1");
      const qname = Buffer.concat([Buffer.from([label.length]), label, Buffer.from([0])]);
      const audits = [{ policy: text, rule: text, action: 1 as const }];
      return eventOf({ qname, tenant: text, policy: text, rule: text, upstream: text, upstream_us: 1000, audits });
    });
    const counters = HOSTILE.map((tenant) => ({
      tenant,
      qtype: 65280,
      outcome: 77 as 0,
      rcode: 4000,
      cache: 1 as const,
      audited: 2 as const,
      count: 3,
    }));
    const latencies = HOSTILE.map((tenant) => ({ tenant, buckets: [1, 2], sum_us: 1000 }));
    worker.report({ number: 1, events: batchOf(...events), counters, latencies, dropped_events: 1 });
    await until(() => worker.reportAcks.length > 0, "the report to be counted");
  });
  after(() => harness.stop());
  const metrics = async () => (await harness.http({ path: "/metrics" })).text;

  it("promtool finds nothing wrong with metrics of hostile names", async () => {
    const text = await metrics();
    for (const name of [
      "dns_rule_hits_total",
      "dns_audit_hits_total",
      "dns_queries_total",
      "dns_upstream_duration_seconds_count",
    ]) {
      const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
      assert.equal(lines.length, HOSTILE.length, `${name}:\n${lines.join("\n")}`);
    }
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });

  it("promtool takes the alert rules", () => {
    assert.match(
      execFileSync("promtool", ["check", "rules", fileOf("alerts.yaml")], { encoding: "utf8" }),
      /9 rules found/,
    );
  });

  it("every query names metrics that there are", async () => {
    const known = new Set(
      [...(await metrics()).matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = "", type]) =>
        type === "histogram" ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    const dashboard = JSON.parse(textOf("dns-policy.json")) as { panels: { targets: { expr: string }[] }[] };
    const queries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    assert.ok(queries.length >= 15);
    for (const query of [...queries, textOf("alerts.yaml")]) {
      const named = query.match(METRIC) ?? [];
      assert.ok(named.length > 0, query);
      for (const name of named) assert.ok(known.has(name), `${name} in ${query}`);
    }
  });

  it("every query of the dashboard is PromQL", () => {
    const dashboard = JSON.parse(textOf("dns-policy.json")) as { panels: { targets: { expr: string }[] }[] };
    const plain = (expr: string) =>
      expr.replaceAll("$__rate_interval", "5m").replaceAll("$__range", "1h").replaceAll("$tenant", ".*");
    const rules = dashboard.panels.flatMap(({ targets }) =>
      targets.map(({ expr }, index) => ({ record: `q${index}`, expr: plain(expr) })),
    );
    const input = JSON.stringify({ groups: [{ name: "dashboard", rules }] });
    const folder = mkdtempSync(join(tmpdir(), "dashboard-"));
    writeFileSync(join(folder, "rules.yaml"), input);
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "rules", join(folder, "rules.yaml")], {
      encoding: "utf8",
    });
    rmSync(folder, { recursive: true });
    assert.equal(status, 0, `${stdout}${stderr}`);
    assert.doesNotMatch(stdout, /\b0 rules found/);
  });
});
