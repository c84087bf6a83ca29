/**
 * DNS over UDP where the tunnel to the filter could be seen: its first packets.
 */
import { strict as assert } from "node:assert";
import { eventually } from "./clients/deadline.ts";
import { describeAnswer, encodeQuestion } from "./dns.ts";
import { Stack } from "./stack.ts";
import type { Client } from "./target.ts";

const clients: Client[] = ["frontend", "backend", "platform"];
const deny = (name: string, block: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${name}}
spec: {match: [{cidrs: ["${block}"]}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: ${name}}
spec:
  priority: 100
  subject: {tenants: [${name}]}
  rules: [{name: own, match: {names: ["${name}.org"]}, action: Deny}]`;
const policy = clients.map((name, index) => deny(name, `127.0.${index + 1}.0/24`)).join("\n---\n");
const zone = "*.org 300 A 192.0.2.1\nready.test 300 A 192.0.2.9";
const PORTS = 200;

describe("UDP", function () {
  this.timeout(60_000);
  let stack: Stack;
  before(async () => {
    stack = await Stack.start({ policy, upstreams: { public: { zone } } });
  });
  after(() => stack.stop());

  // Envoy's HTTP/2 begins before it has read the filter's settings: no address may come by its dynamic table.
  it("answers 200 new ports that are the first packets, each by its own client's policy", async () => {
    const isLive = async () => (await fetch(`${stack.target.admin}/ready`)).ok;
    await stack.restartEnvoy(async () => {
      await eventually(20_000, "Envoy is ready", isLive);
    });
    const asked = Array.from({ length: PORTS }, async (_, index) => {
      const client = clients[index % clients.length] ?? "frontend";
      const name = `${clients[Math.floor(index / clients.length) % clients.length]}.org`;
      const answer = await stack.ask.udp(encodeQuestion(name), client);
      const expected = name === `${client}.org` ? "NXDOMAIN" : `NOERROR; ${name} A 192.0.2.1`;
      assert.equal(describeAnswer(answer), expected, `${name} asked by ${client}, number ${index}`);
    });
    await Promise.all(asked);
    assert.equal(await stack.reloads(), 0);
  });
});
