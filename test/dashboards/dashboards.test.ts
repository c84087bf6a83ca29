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
import { Exemplars } from "../../extproc/telemetry/exemplars.ts";
import { LocalTelemetry } from "../../extproc/telemetry/local-telemetry.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { freePort } from "../e2e/ports.ts";
import { Program } from "../e2e/process.ts";
import { Harness, until } from "../extproc/server/harness.ts";
import { WorkerPeer } from "../extproc/server/peers.ts";
import { batchOf, comparisonsOf, eventOf } from "../extproc/telemetry/events.ts";

const fileOf = (name: string) => fileURLToPath(new URL(`../../dashboards/${name}`, import.meta.url));
const textOf = (name: string) => readFileSync(fileOf(name), "utf8");
const METRIC = /\bdns_[a-z_]+/g;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
/** In alerts.yaml. */
const ALERTS = 19;
const HOSTILE = ['"', "\\", "\n", "{}", "<script>", "\xff", "a=b,c", "%s", "é"];

interface LoadedRule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
}

describe("dashboards and alerts", () => {
  let harness: Harness;
  before(async () => {
    const exemplars = new Exemplars();
    for (const tenant of HOSTILE)
      exemplars.add({ tenant, transport: 0, trace: TRACE, microseconds: 200, time: Date.now() * 1000 });
    const exporter = {
      name: "test",
      sent: 0,
      lost: 0,
      exemplars: exemplars.list,
      take: () => {},
      close: async () => {},
    };
    harness = await Harness.start({
      processMetrics: true,
      telemetry: new LocalTelemetry({ now: Date.now, exporters: [exporter] }),
      moreAdmin: [{ endpoint: { kind: "tcp", host: "127.0.0.1", port: 0 } }],
    });
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
    const comparisons = HOSTILE.map((text) => ({ tenant: text, upstream: text, result: 1 as const }));
    const told = Buffer.concat([batchOf(...events), comparisonsOf(...comparisons)]);
    worker.report({ number: 1, events: told, counters, latencies, dropped_events: 1 });
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
      "dns_mirrored_total",
      "dns_upstream_duration_seconds_count",
    ]) {
      const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
      assert.equal(lines.length, HOSTILE.length, `${name}:\n${lines.join("\n")}`);
    }
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });

  it("Prometheus itself takes the alert rules, and metrics in OpenMetrics' format with exemplars, each under its name", async function () {
    this.timeout(60_000);
    const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
    const service = harness.service.admin.find(({ kind }) => kind === "tcp");
    assert.ok(service?.kind === "tcp");
    const config = {
      global: { scrape_interval: "200ms", scrape_timeout: "200ms", evaluation_interval: "200ms" },
      rule_files: [fileOf("alerts.yaml")],
      scrape_configs: [{ job_name: "dns", static_configs: [{ targets: [`127.0.0.1:${service.port}`] }] }],
    };
    writeFileSync(join(folder, "prometheus.yaml"), JSON.stringify(config));
    const port = await freePort();
    const prometheus = new Program("prometheus", "prometheus", [
      `--config.file=${join(folder, "prometheus.yaml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=exemplar-storage",
    ]);
    try {
      const ask = async (path: string, query: string) => {
        const now = Date.now() / 1000;
        const values = new URLSearchParams({ query, start: String(now - 60), end: String(now) });
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${values}`);
        const { data } = (await response.json()) as { data: { result: { metric: Record<string, string> }[] } };
        return data;
      };
      const { result } = await eventually(40_000, `a scrape: ${prometheus.output}`, async () => {
        const data = await ask("query", "dns_rule_hits_total");
        return data.result.length > 0 && data;
      });
      // A label is UTF-8: an octet of its own that is none would be no text at all.
      assert.deepEqual(result.map(({ metric }) => metric.rule).sort(), [...HOSTILE].sort());
      const up = await ask("query", "up");
      assert.equal(up.result.length, 1);
      const names = await ask("query", '{__name__=~"dns_.+_total_total"}');
      assert.deepEqual(names.result, []);
      // Of the workers, one is connected, and it has acknowledged nothing yet.
      const rules = await eventually(20_000, "every alert to be worked out, and one of them to wait", async () => {
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/rules`);
        const { data } = (await response.json()) as { data: { groups: { rules: LoadedRule[] }[] } };
        const loaded = data.groups.flatMap((group) => group.rules);
        const [behind] = loaded.filter(({ name }) => name === "DnsWorkersBehind");
        return behind?.state === "pending" && loaded.every(({ health }) => health !== "unknown") && loaded;
      });
      assert.equal(rules.length, ALERTS);
      assert.deepEqual(
        rules.filter(({ health }) => health !== "ok"),
        [],
      );
      const shown = (await ask("query_exemplars", "dns_query_duration_seconds_bucket")) as unknown as {
        seriesLabels: Record<string, string>;
        exemplars: { labels: Record<string, string>; value: string }[];
      }[];
      assert.deepEqual(
        shown.map(({ seriesLabels: { tenant, le } }) => `${tenant} ${le}`).sort(),
        HOSTILE.map((tenant) => `${tenant} 0.00025`).sort(),
      );
      for (const { exemplars: of } of shown) {
        assert.deepEqual([of[0]?.labels, Number(of[0]?.value)], [{ trace_id: TRACE }, 0.0002]);
      }
    } finally {
      await prometheus.stop();
      rmSync(folder, { recursive: true });
    }
  });

  it("alerts say what they are for, and nothing else", () => {
    const cases = fileURLToPath(new URL("alerts.test.yaml", import.meta.url));
    assert.match(execFileSync("promtool", ["test", "rules", cases], { encoding: "utf8" }), /SUCCESS/);
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
