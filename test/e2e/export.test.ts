/**
 * What others are told of queries that a real Envoy has answered.
 */
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CLICKHOUSE_PASSWORD,
  CLICKHOUSE_USER,
  ClickHouseServer,
} from "../extproc/telemetry/export/clickhouse-server.ts";
import { DnstapCollector } from "../extproc/telemetry/export/dnstap-collector.ts";
import { OtlpReceiver, valuesOf } from "../extproc/telemetry/export/otlp-receiver.ts";
import { SyslogServer } from "../extproc/telemetry/export/syslog-server.ts";
import { WebhookReceiver } from "../extproc/telemetry/export/webhook-receiver.ts";
import { eventually } from "./clients/deadline.ts";
import { encodeQuestion } from "./dns.ts";
import { Stack, type StackOptions } from "./stack.ts";

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: public, telemetry: {traces: 100, traceContext: true}}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: platform}
spec: {match: [{cidrs: ["127.0.3.0/24"]}], upstream: public, telemetry: {log: All, names: Hashed, clients: Network, keep: 2d}}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: no-com}
spec:
  tier: Admin
  priority: 1
  subject: {tenants: [frontend]}
  rules: [{name: com, match: {names: ["*.com"]}, action: Deny}]
`;

const OPTIONS: Pick<StackOptions, "policy" | "upstreams"> = {
  policy: POLICY,
  upstreams: { public: { zone: "*.example.org 300 A 192.0.2.1\nready.test 300 A 192.0.2.9" } },
};

/** The option of dnsdist and PowerDNS Recursor. */
const TRACEPARENT = 65_500;
type OptAnswer = { readonly options: readonly { readonly code: number; readonly data: Buffer }[] };

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Flags of a service that tells this receiver of what frontend was denied. */
function webhookFlags(directory: string, url: string): string[] {
  const [file, secretFile] = [join(directory, "webhooks.yaml"), join(directory, "webhook-secret")];
  writeFileSync(secretFile, SECRET);
  writeFileSync(file, JSON.stringify([{ name: "security", url, secretFile, tenants: ["frontend"], window: "1s" }]));
  return ["--webhooks", file];
}

/** Flags of a service that writes to this server. */
function clickhouseFlags(directory: string, { secureUrl, ca }: ClickHouseServer): string[] {
  const [file, caFile, passwordFile] = ["clickhouse.yaml", "clickhouse-ca.pem", "clickhouse-password"].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  writeFileSync(caFile, ca);
  writeFileSync(passwordFile, CLICKHOUSE_PASSWORD);
  const options = { url: secureUrl, username: CLICKHOUSE_USER, passwordFile, caFile, createTable: true };
  writeFileSync(file, JSON.stringify(options));
  return ["--clickhouse", file];
}

describe("queries told to others", function () {
  this.timeout(60_000);
  let stack: Stack;
  let dnstap: DnstapCollector;
  let otlp: OtlpReceiver;
  let syslog: SyslogServer;
  let webhook: WebhookReceiver;
  let clickhouse: ClickHouseServer;
  before(async () => {
    otlp = await OtlpReceiver.start();
    syslog = await SyslogServer.start();
    webhook = await WebhookReceiver.start(SECRET);
    clickhouse = await ClickHouseServer.start();
    process.env.OTEL_EXPORTER_OTLP_ENDPOINT = otlp.url;
    process.env.OTEL_METRIC_EXPORT_INTERVAL = "300";
    dnstap = await DnstapCollector.open();
    await dnstap.listen();
    stack = await Stack.start({
      ...OPTIONS,
      serve: (directory) => [
        ...["--dnstap", `unix:${dnstap.path}`, "--syslog", `tcp:127.0.0.1:${syslog.ports.tcp}`],
        ...webhookFlags(directory, webhook.url),
        ...clickhouseFlags(directory, clickhouse),
      ],
    });
  });
  after(async () => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    delete process.env.OTEL_METRIC_EXPORT_INTERVAL;
    await stack.stop();
    await otlp.stop();
    await syslog.stop();
    await webhook.stop();
    await clickhouse.stop();
    await dnstap.close();
  });

  it("are traced: what the filter did, and in that the decision and the upstream that it waited for", async () => {
    const public_ = stack.upstream();
    public_.script = (asked) => ({ ...public_.truth(asked), delayMs: 60 });
    await stack.ask.udp(encodeQuestion("slow.example.org"));
    const traceOf = (name: string) => {
      const query = otlp.spans.find(({ attributes }) => attributes["dns.question.name"] === name);
      return query && { query, parts: otlp.spans.filter(({ parent }) => parent === query.id) };
    };
    const { query, parts } = await eventually(10_000, "a trace", () => {
      const found = traceOf("slow.example.org.");
      return found?.parts.length === 2 && found;
    });
    assert.deepEqual([query.name, query.parent, query.attributes["dns.mesh.tenant"]], ["query", "", "frontend"]);
    const [decision, upstream] = parts.sort((a, b) => a.start - b.start);
    assert.deepEqual([decision?.name, upstream?.name], ["decision", "upstream"]);
    assert.ok(decision && upstream);
    assert.ok(decision.start >= query.start && decision.end > decision.start && decision.end <= upstream.start);
    assert.ok(upstream.end - upstream.start >= 55_000 && upstream.end <= query.end, JSON.stringify(parts));
    await eventually(5000, "the trace beside the bucket of its latency", async () => {
      const headers = { accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" };
      const { body } = await stack.service.request("GET", "/metrics", "", headers);
      return new RegExp(
        `^dns_query_duration_seconds_bucket{.*tenant="frontend".*# {trace_id="${query.trace}"} 0\\.\\d`,
        "m",
      ).test(body);
    });
    await stack.ask.udp(encodeQuestion("www.example.com"));
    const denied = await eventually(10_000, "another trace", () => traceOf("www.example.com."));
    assert.equal(denied.query.attributes["dns.mesh.policy"], "no-com");
    assert.ok(!otlp.spans.some(({ attributes }) => attributes["dns.mesh.tenant"] === "platform"));
    assert.deepEqual(otlp.complaints, []);
  });

  it("are part of the traces of clients that are trusted with that, and upstreams are told that want to know", async () => {
    const id = "0af7651916cd43dd8448eb211c80319c";
    const options = [{ code: TRACEPARENT, data: Buffer.from(`0000${id}b7ad6b716920333101`, "hex") }];
    const told = async (name: string, client: "frontend" | "platform") => {
      stack.upstream().reset();
      assert.equal((await stack.ask.udp(encodeQuestion(name, { edns: 1232, options }), client)).rcode, "NOERROR");
      assert.equal(stack.upstream().asked.length, 1);
      const [asked] = stack.upstream().asked;
      const opt = asked?.query.additionals?.find(({ type }) => type === "OPT") as OptAnswer | undefined;
      return opt?.options.find(({ code }) => code === TRACEPARENT)?.data.toString("hex");
    };
    assert.equal(await told("unasked.example.org", "frontend"), undefined);
    const { policy, upstreams } = OPTIONS;
    const public_ = /kind: Upstream[\s\S]*?spec:\n/;
    await stack.apply(stack.policy({ policy, upstreams }).replace(public_, (head) => `${head}  traceContext: true\n`));
    const option = await told("trusted.example.org", "frontend");
    assert.match(option ?? "", new RegExp(`^0000${id}[0-9a-f]{16}01$`));
    assert.equal(await told("untrusted.example.org", "platform"), undefined);
    await eventually(10_000, "both spans", () => otlp.spans.filter(({ trace }) => trace === id).length >= 4);
    const query = otlp.spans.find(({ attributes }) => attributes["dns.question.name"] === "trusted.example.org.");
    assert.deepEqual([query?.trace, query?.parent], [id, "b7ad6b7169203331"]);
    const upstream = otlp.spans.find(({ name, parent }) => name === "upstream" && parent === query?.id);
    assert.equal(upstream?.id, option?.slice(36, 52));
    assert.ok(!otlp.spans.some(({ attributes }) => attributes["dns.mesh.tenant"] === "platform"));
    await stack.apply(stack.policy({ policy, upstreams }));
  });

  it("are read by dnstap-read: who asked what by which transport, and which rule has denied it", async () => {
    await stack.ask.udp(encodeQuestion("www.example.org"));
    await stack.ask.udp(encodeQuestion("www.example.org"));
    const tcp = await stack.ask.tcp();
    await tcp.ask(encodeQuestion("www.example.com"));
    tcp.close();
    const records = await eventually(10_000, "frames of three queries", async () => {
      const read = await dnstap.read();
      return read.some(({ message }) => message.socket_protocol === "TCP") && read;
    });
    const said = records.map(({ identity, extra, message }) => {
      const text = String(message.response_message);
      const [question] = /^;\S+\s+IN\s+A$/m.exec(text) ?? [];
      const [rcode] = /status: [A-Z]+/.exec(text) ?? [];
      const [address] = /IN\s+A\s+[\d.]+$/m.exec(text) ?? [];
      const { tenant, outcome, policy, rule, cache, upstream } = extra;
      const { type, socket_protocol, query_address } = message;
      const words = [identity, type, socket_protocol, query_address, question, rcode, address];
      return [...words, tenant, outcome, policy, rule, cache, upstream].join(" ").replace(/\s+/g, " ");
    });
    assert.deepEqual(said.filter((line) => /;www\..* frontend /.test(line)).slice(-3), [
      "e2e CLIENT_RESPONSE UDP 127.0.1.1 ;www.example.org. IN A status: NOERROR IN A 192.0.2.1 frontend forwarded miss public",
      "e2e CLIENT_RESPONSE UDP 127.0.1.1 ;www.example.org. IN A status: NOERROR IN A 192.0.2.1 frontend forwarded hit ",
      "e2e CLIENT_RESPONSE TCP 127.0.1.1 ;www.example.com. IN A status: NXDOMAIN frontend denied no-com com ",
    ]);
    // Who wants less to be known of it is told of no more here.
    const platform = said.filter((line) => line.includes(" platform "));
    assert.ok(platform.length > 0);
    for (const line of platform) assert.match(line, /UDP 127\.0\.3\.0 ;hash-[0-9a-f]+\. IN A status: NOERROR platform/);
    const metrics = await stack.service.metrics();
    assert.match(
      metrics,
      new RegExp(`^dns_exported_events_total\\{exporter="dnstap"\\} ${dnstap.frames.length}$`, "m"),
    );
    assert.match(metrics, /^dns_export_lost_events_total\{exporter="dnstap"\} 0$/m);
  });

  it("are told to rsyslogd where they were denied", async () => {
    await stack.ask.udp(encodeQuestion("www.example.com"));
    const [message] = await syslog.messages(1);
    assert.deepEqual(
      [message?.host, message?.message],
      ["e2e", "frontend was denied www.example.com. A by no-com/com"],
    );
  });

  it("are told to a webhook where they were denied, a storm by one message with a count", async () => {
    const names = Array.from({ length: 50 }, () => encodeQuestion("storm.example.com"));
    await Promise.all(names.map((question) => stack.ask.udp(question)));
    const told = () =>
      webhook.received.filter(({ type, data }) => type === "dns.denied" && data.qname === "storm.example.com.");
    const count = () => told().reduce((sum, { data }) => sum + Number(data.count), 0);
    await eventually(10_000, "50 denials", () => count() === 50);
    // The storm may have been on when one second ended.
    assert.ok(told().length <= 2, JSON.stringify(told()));
    const { tenant, client, policy, rule, node } = told()[0]?.data ?? {};
    assert.deepEqual([tenant, client, policy, rule, node], ["frontend", "127.0.1.1", "no-com", "com", "e2e"]);
    assert.match(await stack.service.metrics(), /^dns_exported_events_total\{exporter="webhook_security"\} \d\d+$/m);
  });

  it("are rows in ClickHouse where they are logged, with what their tenant hides hidden, for as long as it wants", async () => {
    for (const client of ["frontend", "platform"] as const) {
      await stack.ask.udp(encodeQuestion("rows.example.com"), client);
      await stack.ask.udp(encodeQuestion("rows.example.org"), client);
    }
    const query = `SELECT tenant, client, match(qname, '^hash-[0-9a-f]+\\.$') ? 'hashed' : qname AS name,
      qtype, transport, outcome, rule, rcode, node, expires - time AS kept
      FROM dns_queries WHERE tenant = 'platform' OR qname = 'rows.example.com.' ORDER BY tenant, time_us`;
    const rows = await eventually(10_000, "rows of both", async () => {
      const found = await clickhouse.rows(query);
      return found.length >= 3 && found[0]?.tenant === "frontend" && found;
    });
    const said = rows.map((row) => Object.values(row).join(" "));
    assert.equal(said[0], "frontend 127.0.1.1 rows.example.com. A udp denied com NXDOMAIN e2e 2592000");
    for (const line of said.slice(1))
      assert.match(line, /^platform 127\.0\.3\.0 hashed A udp forwarded {2}[A-Z]+ e2e 172800$/);
    // Nothing that is not logged: of frontend, denials alone.
    assert.equal(
      await clickhouse.run("SELECT count() FROM dns_queries WHERE outcome != 'denied' AND tenant = 'frontend'"),
      "0\n",
    );
    const metrics = await stack.service.metrics();
    assert.match(metrics, /^dns_exported_events_total\{exporter="clickhouse"\} \d+$/m);
    assert.match(metrics, /^dns_export_lost_events_total\{exporter="clickhouse"\} 0$/m);
  });

  it("are counted in metrics that are pushed, as in those that are asked for", async () => {
    const line =
      /^dns_queries_total\{tenant="frontend",transport="udp",type="A",outcome="denied",rcode="NXDOMAIN"\} (\d+)$/m;
    const wanted = await eventually(5000, "a count", async () => Number(line.exec(await stack.service.metrics())?.[1]));
    await eventually(10_000, "a push of it", () =>
      otlp.metrics
        .find(({ name }) => name === "dns_queries")
        ?.sum?.data_points.some(({ attributes, as_double }) => {
          const { tenant, transport, outcome } = valuesOf(attributes);
          return `${tenant} ${transport} ${outcome}` === "frontend udp denied" && as_double === wanted;
        }),
    );
  });
});
