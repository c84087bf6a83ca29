/**
 * Policy as its operator has it: pushed by the command and by the API, seen in metrics, in the query log, in Envoy.
 */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { Client, credentials, status } from "@grpc/grpc-js";
import { syncService } from "../../extproc/server/sync/sync-service.ts";
import { eventually } from "./clients/deadline.ts";
import { encodeQuestion } from "./dns.ts";
import { Stack, type StackOptions } from "./stack.ts";

const tenant = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}
`;
const rule = (pattern: string) => `---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: denied}
spec:
  priority: 100
  subject: {tenants: [frontend]}
  rules: [{name: deny, match: {names: ["${pattern}"]}, action: Deny}]
`;
const upstreams: StackOptions["upstreams"] = {
  public: { zone: "*.org 300 A 192.0.2.1\n*.com 300 A 192.0.2.2\nready.test 300 A 192.0.2.9" },
};

describe("policy", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy: tenant, upstreams, concurrency: 2 });
  });
  after(() => stack.stop());

  const text = (policy: string) => stack.policy({ policy, upstreams });
  const rcode = async (name: string) => (await stack.ask.udp(encodeQuestion(name))).rcode;

  it("pushed by the command holds when the command returns", async () => {
    assert.equal(await rcode("push.org"), "NOERROR");
    await stack.service.apply(text(tenant + rule("*.org")));
    for (let times = 0; times < 20; times++) assert.equal(await rcode("push.org"), "NXDOMAIN");
    await stack.service.apply(text(tenant));
    for (let times = 0; times < 20; times++) assert.equal(await rcode("push.org"), "NOERROR");
  });

  it("that was a mistake is taken back by one command, from every worker", async () => {
    await stack.apply(text(tenant));
    await stack.apply(text(tenant + rule("*")));
    assert.equal(await rcode("mistake.org"), "NXDOMAIN");
    const printed = await stack.service.command("rollback", "~1", "--reason", "nothing resolves");
    assert.match(printed, /^DnsPolicy\/denied deleted\nrevision \d+ in force, acknowledged by 2 workers\n$/);
    for (let times = 0; times < 20; times++) assert.equal(await rcode("mistake.org"), "NOERROR");
    assert.match(await stack.service.command("history"), /\(claimed\) +\+0 ~0 -1 +back to \d+: nothing resolves\n/);
    assert.match(await stack.service.command("get", "-o", "table"), /^Tenant +frontend +1 .* True +True +True$/m);
  });

  it("that is wrong changes nothing, and the error says where", async () => {
    const wrong = text(tenant + rule("*.org").replace("action: Deny", "action: Refuse"));
    const { status, body } = await stack.service.put(wrong);
    assert.equal(status, 400);
    assert.match(body, /spec\.rules\[0\]\.action|spec\/rules\/0\/action/);
    assert.equal(await rcode("wrong.org"), "NOERROR");
  });

  it("is there again after the service was killed", async () => {
    await stack.apply(text(tenant + rule("*.com")));
    await stack.service.kill();
    await stack.service.restart();
    await eventually(5000, "a decision", async () => (await rcode(`again${Date.now()}.com`)) === "NXDOMAIN");
    await stack.apply(text(tenant));
  });

  it("is seen in the service's metrics, per tenant", async () => {
    await rcode("metrics.org");
    const line = /^dns_queries_total\{[^}]*tenant="frontend"[^}]*\} [1-9]/m;
    const metrics = await eventually(5000, "metrics of the tenant", async () => {
      const read = await stack.service.metrics();
      return line.test(read) && read;
    });
    assert.match(metrics, /transport="udp"/);
  });

  it("is seen in Envoy's metrics, with tags", async () => {
    await rcode("envoy.org");
    await eventually(5000, "tagged metrics", async () => {
      const read = await (await fetch(`${stack.target.admin}/stats/prometheus`)).text();
      return /dns_queries\{[^}]*dns_tenant="frontend"[^}]*\} [1-9]/.test(read);
    });
  });

  it("has every denial in the query log", async () => {
    await stack.apply(text(tenant + rule("*.com")));
    await rcode("logged.com");
    const line = await eventually(5000, "a line of the query log", () =>
      readFileSync(stack.service.queryLog, "utf8")
        .split("\n")
        .find((each) => each.includes("logged.com")),
    );
    const event = JSON.parse(line) as Record<string, unknown>;
    assert.equal(event.tenant, "frontend");
    assert.equal(event.rule, "deny");
    assert.equal(event.rcode, "NXDOMAIN");
    await stack.apply(text(tenant));
  });

  it("outlives Envoy", async () => {
    await stack.apply(text(tenant + rule("*.com")));
    await stack.restartEnvoy();
    assert.equal(await rcode("restarted.com"), "NXDOMAIN");
    await stack.apply(text(tenant));
  });
});

describe("a policy service that asks for a token", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy: tenant, upstreams, token: "s3cret" });
  });
  after(() => stack.stop());

  it("is told it for decisions, clusters and Sync", async () => {
    assert.equal((await stack.ask.udp(encodeQuestion("token.org"))).rcode, "NOERROR");
    const { body } = await stack.service.put(stack.policy({ policy: tenant + rule("*.com"), upstreams }));
    const { workers, envoys } = JSON.parse(body) as { workers: object; envoys: { rejected: string }[] };
    assert.deepEqual(workers, { acknowledged: 1, behind: [] });
    assert.deepEqual(
      envoys.map(({ rejected }) => rejected),
      [""],
    );
    assert.equal((await stack.ask.udp(encodeQuestion("token.com"))).rcode, "NXDOMAIN");
  });

  it("does nothing for who does not say it", async () => {
    const client = new Client(`unix:${stack.service.socket}`, credentials.createInsecure());
    const path = syncService.Connect.path;
    const stream = client.makeBidiStreamRequest(path, syncService.Connect.requestSerialize, (bytes) => bytes);
    const ended = new Promise<number>((resolve) => stream.once("status", ({ code }) => resolve(code)));
    stream.on("error", () => {});
    stream.write({ hello: { node: "e2e", process: 1, worker: 1, concurrency: 1, token: "guess" } });
    assert.equal(await ended, status.UNAUTHENTICATED);
    client.close();
  });
});
