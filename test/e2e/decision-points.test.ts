/**
 * A rule that leaves it to Open Policy Agent, by a real Envoy: to a real OPA where there is one (DNSPOLICY_TEST_OPA is its
 * binary), otherwise to a stand-in that says the same.
 */
import { strict as assert } from "node:assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type OpaInput, OpaStandIn } from "../extproc/server/decision-points/opa-stand-in.ts";
import { eventually } from "./clients/deadline.ts";
import { encodeQuestion } from "./dns.ts";
import { freePort } from "./ports.ts";
import { Program } from "./process.ts";
import { Stack, type StackOptions } from "./stack.ts";

const REGO = `package dns

default decision := {"allow": false, "reason": "not on the list"}

decision := {"allow": true, "below": "example.org", "anyType": true, "anyTransport": true} if {
	endswith(input.name, ".example.org")
	input.tenant == "frontend"
}

decision := {"action": "Pass"} if input.name == "www.example.com"
`;

function sayTheSame({ name, tenant }: OpaInput): unknown {
  if (name.endsWith(".example.org") && tenant === "frontend") {
    return { allow: true, below: "example.org", anyType: true, anyTransport: true };
  }
  return name === "www.example.com" ? { action: "Pass" } : { allow: false, reason: "not on the list" };
}

interface Point {
  readonly url: string;
  /** It takes questions and says nothing. */
  hang(): void;
  goOn(): void;
  stop(): Promise<void>;
}

async function startPoint(directory: string): Promise<Point> {
  const binary = process.env.DNSPOLICY_TEST_OPA;
  if (binary === undefined) {
    const standIn = await OpaStandIn.start();
    standIn.rule = sayTheSame;
    return {
      url: standIn.url,
      hang: () => {
        standIn.trouble = "hangs";
      },
      goOn: () => {
        standIn.trouble = undefined;
      },
      stop: () => standIn.stop(),
    };
  }
  const file = join(directory, "decision.rego");
  await writeFile(file, REGO);
  const at = `127.0.0.1:${await freePort()}`;
  const opa = new Program("opa", binary, ["run", "--server", "--addr", at, "--disable-telemetry", file]);
  await eventually(20_000, "OPA answers", async () => {
    if (!opa.running) throw new Error(`OPA has ended: ${opa.output}`);
    const response = await fetch(`http://${at}/health`).catch(() => undefined);
    return response?.status === 200;
  });
  return {
    url: `http://${at}/v1/data/dns/decision`,
    hang: () => opa.signal("SIGSTOP"),
    goOn: () => opa.signal("SIGCONT"),
    stop: () => opa.stop(),
  };
}

const policy = (url: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: others}
spec: {match: [{cidrs: ["127.0.0.0/8"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {decisionPoints: [{name: opa, url: "${url}"}]}
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: by-opa}
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules:
  - {name: open, match: {names: ["*.open.example.com"]}, action: Decide, decide: {by: opa, onError: Pass, ttl: 1s}}
  - {name: strict, match: {names: ["*.example.com", "*.example.org"]}, action: Decide, decide: {by: opa, ttl: 1s}}
`;

describe("rules that leave it to OPA", function () {
  this.timeout(60_000);
  let stack: Stack;
  let point: Point;
  const upstreams: StackOptions["upstreams"] = {
    public: { zone: "*.org 300 A 192.0.2.1\n*.com 300 A 192.0.2.2\n*.net 300 A 192.0.2.3\nready.test 300 A 192.0.2.9" },
  };
  const tenants = policy("").split("---").slice(0, 2).join("---");
  before(async () => {
    stack = await Stack.start({ policy: tenants, upstreams });
    point = await startPoint(stack.directory);
    await stack.apply(stack.policy({ policy: policy(point.url), upstreams }));
  });
  after(async () => {
    point.goOn();
    await point.stop();
    await stack.stop();
  });

  const ask = async (name: string, client: "frontend" | "backend" = "frontend") => {
    const { rcode, ede } = await stack.ask.udp(encodeQuestion(name, { edns: 1232 }), client);
    return [rcode, ...ede.map(({ text }) => text)].join(" ");
  };
  const asked = async () =>
    [...(await stack.service.metrics()).matchAll(/^dns_decision_point_answers_total{point="opa",.*} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );

  it("answer what it allows, deny what it does not, for its reason, and go on where it has no word", async () => {
    assert.equal(await ask("www.example.org"), "NOERROR");
    assert.equal(await ask("www.example.org", "backend"), "NXDOMAIN others/by-opa/strict: not on the list");
    assert.equal(await ask("bad.example.com"), "NXDOMAIN frontend/by-opa/strict: not on the list");
    assert.equal(await ask("www.example.com"), "NOERROR");
    const explained = await stack.service.command("explain", "--client", "127.0.1.1", "--name", "bad.example.com");
    assert.match(explained, /^for by-opa\/strict, decision point opa says Deny: not on the list$/m);
    assert.match(explained, /^Admin +1 +ClusterDnsPolicy\/by-opa +strict +Decide +decides$/m);
    const passed = await stack.service.command("explain", "--client", "127.0.1.1", "--name", "www.example.com");
    assert.match(passed, /^Admin +1 +ClusterDnsPolicy\/by-opa +strict +Decide +passes on$/m);
  });

  it("ask once for all that it says it holds for", async () => {
    await ask("a.example.org");
    const before = await asked();
    for (let index = 0; index < 20; index++) assert.equal(await ask(`n${index}.example.org`), "NOERROR");
    // Each second anew, as the rule says.
    assert.ok((await asked()) - before <= 5, `${(await asked()) - before} questions`);
  });

  it("do what they say where it hangs, while everybody else is answered at once", async () => {
    point.hang();
    const slow = [ask("slow.example.com"), ask("slow.open.example.com")];
    assert.equal(await ask("www.example.net"), "NOERROR");
    assert.deepEqual(await Promise.all(slow), ["NXDOMAIN frontend/by-opa/strict", "NOERROR"]);
    assert.match(await stack.service.metrics(), /^dns_decision_point_answers_total{point="opa",answer="failed"} \d+$/m);
    point.goOn();
    await eventually(10_000, "it is asked again", async () =>
      (await ask("slow.example.com")).endsWith("not on the list"),
    );
  });
});
