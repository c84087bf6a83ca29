/**
 * What others are told of queries that a real Envoy has answered.
 */
import { strict as assert } from "node:assert";
import { DnstapCollector } from "../extproc/telemetry/export/dnstap-collector.ts";
import { eventually } from "./clients/deadline.ts";
import { encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";

const POLICY = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: platform}
spec: {match: [{cidrs: ["127.0.3.0/24"]}], upstream: public, telemetry: {names: Hashed, clients: Network}}
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

describe("queries told to others", function () {
  this.timeout(60_000);
  let stack: Stack;
  let dnstap: DnstapCollector;
  before(async () => {
    dnstap = await DnstapCollector.open();
    await dnstap.listen();
    stack = await Stack.start({
      policy: POLICY,
      upstreams: { public: { zone: "www.example.org 300 A 192.0.2.1\nready.test 300 A 192.0.2.9" } },
      serve: () => ["--dnstap", `unix:${dnstap.path}`],
    });
  });
  after(async () => {
    await stack.stop();
    await dnstap.close();
  });

  it("are read by dnstap-read: who asked what by which transport, and which rule has denied it", async () => {
    const seen = dnstap.frames.length;
    await stack.ask.udp(encodeQuestion("www.example.org"));
    await stack.ask.udp(encodeQuestion("www.example.org"));
    const tcp = await stack.ask.tcp();
    await tcp.ask(encodeQuestion("www.example.com"));
    tcp.close();
    await stack.ask.udp(encodeQuestion("www.example.org"), "platform");
    await eventually(10_000, "four more frames", () => dnstap.frames.length >= seen + 4);
    const records = await dnstap.read();
    const ours = records.slice(-4);
    assert.deepEqual(
      ours.map(({ identity, extra, message }) => {
        const { tenant, outcome, policy, rule, cache, upstream } = extra;
        const text = String(message.response_message);
        const [, rcode] = /status: ([A-Z]+)/.exec(text) ?? [];
        const [, question] = /^;(\S+)\s+IN\s+A$/m.exec(text) ?? [];
        const [, address] = /IN\s+A\s+([\d.]+)$/m.exec(text) ?? [];
        const who = `${identity} ${message.type} ${message.socket_protocol} ${message.query_address}`;
        return [
          who,
          question?.replace(/^hash-[0-9a-f]+/, "HASH"),
          rcode,
          address,
          tenant,
          outcome,
          policy,
          rule,
          cache,
          upstream,
        ];
      }),
      [
        [
          "e2e CLIENT_RESPONSE UDP 127.0.1.1",
          "www.example.org.",
          "NOERROR",
          "192.0.2.1",
          "frontend",
          "forwarded",
          undefined,
          undefined,
          "miss",
          "public",
        ],
        [
          "e2e CLIENT_RESPONSE UDP 127.0.1.1",
          "www.example.org.",
          "NOERROR",
          "192.0.2.1",
          "frontend",
          "forwarded",
          undefined,
          undefined,
          "hit",
          undefined,
        ],
        [
          "e2e CLIENT_RESPONSE TCP 127.0.1.1",
          "www.example.com.",
          "NXDOMAIN",
          undefined,
          "frontend",
          "denied",
          "no-com",
          "com",
          undefined,
          undefined,
        ],
        [
          "e2e CLIENT_RESPONSE UDP 127.0.3.0",
          "HASH.",
          "NOERROR",
          undefined,
          "platform",
          "forwarded",
          undefined,
          undefined,
          "hit",
          undefined,
        ],
      ],
    );
    const metrics = await stack.service.metrics();
    assert.match(
      metrics,
      new RegExp(`^dns_exported_events_total\\{exporter="dnstap"\\} ${dnstap.frames.length}$`, "m"),
    );
    assert.match(metrics, /^dns_export_lost_events_total\{exporter="dnstap"\} 0$/m);
  });
});
