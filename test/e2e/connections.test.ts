/**
 * Connections through a real Envoy, in a network of their own: to addresses that a tenant's names were answered with, within
 * their TTLs, and to no others.
 */
import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connections } from "../../extproc/telemetry/questions.ts";
import { eventually } from "./clients/deadline.ts";
import { Egress } from "./egress.ts";
import { CLIENTS, type StackOptions } from "./stack.ts";

const { frontend, backend, nobody } = CLIENTS;

const tenants = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec:
  match: [{cidrs: ["127.0.1.0/24"]}]
  upstream: public
  namespaces: [web]
  isolation: {}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: backend}
spec: {match: [{cidrs: ["127.0.2.0/24"]}], upstream: public}
`;
const denying = (...names: string[]) => `---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: frontend}
spec:
  priority: 100
  subject: {tenants: [frontend]}
  rules: [{name: deny, match: {names: [${names.join(", ")}]}, action: Deny}]
`;
const settings = (connections: string) => `---
apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {connections: ${connections}, mesh: {virtualAddresses: {}}}
`;
const mesh = `---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: web}
spec: {clusterIP: 192.0.2.40}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: partner, namespace: web}
spec: {hosts: [api.partner.test], resolution: DNS, ports: [{number: 8080, name: http, protocol: HTTP}]}
`;
const RACES = Array.from({ length: 100 }, (_, number) => number);
const upstreams: StackOptions["upstreams"] = {
  public: {
    zone: `allowed.test 300 A 192.0.2.10
denied.test 300 A 192.0.2.11
brief.test 1 A 192.0.2.12
later.test 300 A 192.0.2.13
first.test 300 A 192.0.2.14
second.test 300 A 192.0.2.14
alias.test 300 CNAME target.test
target.test 300 A 192.0.2.15
ready.test 300 A 192.0.2.9
${RACES.map((number) => `race${number}.test 300 A 192.0.2.${100 + number}`).join("\n")}`,
  },
};

interface Line {
  readonly outcome: string;
  readonly tenant: string;
  readonly address: string;
  readonly [field: string]: unknown;
}

describe("connections that DNS allows", function () {
  this.timeout(60_000);
  let world: Egress;

  const policy = (connections = "{grace: 1s}", ...denied: string[]) =>
    tenants + denying("denied.test", ...denied) + settings(connections) + mesh;
  const ask = (client: string, name: string) => world.call("ask", { client, name });
  const heard = async (client: string, address: string) => (await world.call("connect", { client, to: address })).heard;
  const logged = (address: string, outcome: string): Promise<Line> =>
    eventually(5000, `${outcome} of ${address} in the log`, async () => {
      const lines = (await world.call("log", {})).trimEnd().split("\n");
      const records = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
      return records.findLast((line) => line.address === address && line.outcome === outcome);
    });

  before(async () => {
    world = await Egress.start({ policy: policy(), upstreams, concurrency: 2 });
  });
  after(() => world.stop());

  it("go to an address that a name was answered with", async () => {
    assert.equal(await heard(frontend, "192.0.2.10"), false);
    assert.deepEqual(await ask(frontend, "allowed.test"), ["192.0.2.10"]);
    assert.equal(await heard(frontend, "192.0.2.10"), true);
    const { time, client, ...line } = await logged("192.0.2.10", "allowed");
    assert.deepEqual(line, {
      tenant: "frontend",
      address: "192.0.2.10",
      port: 8080,
      name: "allowed.test.",
      outcome: "allowed",
    });
    assert.equal(client, frontend);
    assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
  });

  it("do not go to the address of a denied name that is typed by hand, and that is told", async () => {
    assert.deepEqual(await ask(frontend, "denied.test"), []);
    assert.equal(await heard(frontend, "192.0.2.11"), false);
    const { tenant, reason, name } = await logged("192.0.2.11", "refused");
    assert.deepEqual(
      { tenant, reason, name },
      { tenant: "frontend", reason: "no answer had this address", name: undefined },
    );
  });

  it("are not allowed by what another tenant was told", async () => {
    assert.deepEqual(await ask(backend, "denied.test"), ["192.0.2.11"]);
    assert.equal(await heard(backend, "192.0.2.11"), true);
    assert.equal(await heard(frontend, "192.0.2.11"), false);
    assert.equal(await heard(nobody, "192.0.2.11"), false);
    assert.equal((await logged("192.0.2.11", "refused")).tenant, "");
  });

  it("are allowed by the name that was asked, where an alias leads to the address", async () => {
    await ask(frontend, "alias.test");
    assert.equal(await heard(frontend, "192.0.2.15"), true);
    assert.equal((await logged("192.0.2.15", "allowed")).name, "alias.test.");
  });

  it("are refused when the TTL and the grace are over", async () => {
    await ask(frontend, "brief.test");
    assert.equal(await heard(frontend, "192.0.2.12"), true);
    await sleep(2100);
    assert.equal(await heard(frontend, "192.0.2.12"), false);
    await ask(frontend, "brief.test");
    assert.equal(await heard(frontend, "192.0.2.12"), true);
  });

  it("are refused from the moment on in which their name is denied", async () => {
    await ask(frontend, "later.test");
    assert.equal(await heard(frontend, "192.0.2.13"), true);
    await world.call("apply", { policy: policy("{grace: 1s}", "later.test") });
    assert.equal(await heard(frontend, "192.0.2.13"), false);
    const { name, policy: by, rule, reason } = await logged("192.0.2.13", "refused");
    assert.deepEqual(
      { name, by, rule, reason },
      { name: "later.test.", by: "frontend", rule: "deny", reason: "the name is denied" },
    );
    await world.call("apply", { policy: policy() });
    assert.equal(await heard(frontend, "192.0.2.13"), true);
  });

  it("are allowed where one of an address's names is", async () => {
    await ask(frontend, "first.test");
    await ask(frontend, "second.test");
    await world.call("apply", { policy: policy("{grace: 1s}", "second.test") });
    assert.equal(await heard(frontend, "192.0.2.14"), true);
    assert.equal((await logged("192.0.2.14", "allowed")).name, "first.test.");
    await world.call("apply", { policy: policy() });
  });

  it("go to the addresses of names of the mesh that the tenant may know, without a question", async () => {
    assert.equal(await heard(frontend, "192.0.2.40"), true);
    assert.equal((await logged("192.0.2.40", "allowed")).name, "shop.web.svc.cluster.local.");
    assert.equal(await heard(backend, "192.0.2.40"), false);
    const [virtual = ""] = await ask(frontend, "api.partner.test");
    assert.match(virtual, /^240\.240\./);
    assert.equal(await heard(frontend, virtual), true);
    assert.equal(await heard(backend, virtual), false);
  });

  it("are told of, and let through, in mode Audit", async () => {
    await world.call("apply", { policy: policy("{mode: Audit}") });
    assert.equal(await heard(frontend, "192.0.2.99"), true);
    assert.equal((await logged("192.0.2.99", "would_refuse")).reason, "no answer had this address");
    await world.call("apply", { policy: policy("{mode: Off}") });
    assert.equal(await heard(frontend, "192.0.2.98"), true);
    await world.call("apply", { policy: policy() });
    assert.equal(await heard(frontend, "192.0.2.99"), false);
  });

  it("are never too early for the answer that allows them", async () => {
    const times: number[] = [];
    for (const number of RACES) {
      const said = await world.call("connect", { client: frontend, to: `race${number}.test` });
      assert.ok(said.heard, `connection ${number} was refused`);
      times.push(said.milliseconds);
    }
    times.sort((a, b) => a - b);
    // A worker that told of its answers once in a while would have had most of them wait.
    assert.ok((times[50] ?? 0) < 40, `half of all took ${times[50]} ms and more`);
  });

  const ofFrontend = ({ tenants }: Connections) => tenants.find(({ tenant }) => tenant === "frontend");

  it("are told of by name where the name resolved and its address took no connection", async () => {
    const closed = 9;
    await ask(frontend, "allowed.test");
    for (let times = 0; times < 3; times++) {
      assert.equal((await world.call("connect", { client: frontend, to: "192.0.2.10", port: closed })).heard, false);
    }
    // Envoy tells of a connection when that is over, and gathers what it tells.
    const told = await eventually(15_000, "three failures, and what became of each that was let through", async () => {
      const text = await world.call("get", { path: "/v1/telemetry/connections?window=15m" });
      const connections = JSON.parse(text) as Connections;
      const { connected = 0, failed = 0, allowed = 0, wouldRefuse = 0 } = ofFrontend(connections) ?? {};
      return connections.unreachable[0]?.count === 3 && connected + failed === allowed + wouldRefuse && connections;
    });
    assert.deepEqual(told.unreachable, [
      { tenant: "frontend", name: "allowed.test.", address: `192.0.2.10:${closed}`, count: 3, over: 0 },
    ]);
    const counts = ofFrontend(told);
    assert.equal(counts?.failed, 3);
    assert.ok((counts?.connectMs?.p50 ?? 0) > 0, "expected how long it took");
    assert.ok(told.refused.some(({ tenant, key }) => tenant === "frontend" && key === "192.0.2.11:8080"));
  });

  it("are counted by tenant and outcome", async () => {
    const metrics = await world.call("get", { path: "/metrics" });
    assert.match(metrics, /^dns_connections_total\{tenant="frontend",outcome="failed"\} 3$/m);
    for (const outcome of ["allowed", "refused", "would_refuse"]) {
      assert.match(
        metrics,
        new RegExp(`^dns_connection_checks_total\\{tenant="frontend",outcome="${outcome}"\\} [1-9]`, "m"),
      );
    }
  });

  it("are allowed by what was answered before the service was killed", async () => {
    await ask(frontend, "allowed.test");
    assert.equal(await heard(frontend, "192.0.2.10"), true);
    // What a service that is killed loses at most.
    await sleep(600);
    await world.call("killService", {});
    await eventually(10_000, "a connection", () => heard(frontend, "192.0.2.10"));
    assert.equal(await heard(frontend, "192.0.2.11"), false);
  });
});

describe("connections that DNS allows, where the server speaks first", function () {
  this.timeout(60_000);
  let world: Egress;
  const PORT = 8025;

  before(async () => {
    world = await Egress.start({
      policy: tenants + denying("denied.test") + settings("{grace: 1s}"),
      upstreams,
      serverFirst: true,
    });
  });
  after(() => world.stop());

  it("are opened, or not, before anybody has said anything", async () => {
    const heard = async (client: string, to: string) =>
      (await world.call("connect", { client, to, port: PORT, says: "" })).heard;
    assert.equal(await heard(frontend, "192.0.2.10"), false);
    assert.equal(await heard(frontend, "allowed.test"), true);
    assert.equal(await heard(backend, "denied.test"), true);
    assert.equal(await heard(frontend, "192.0.2.11"), false);
    const outcomes = await eventually(5000, "four lines in the log", async () => {
      const lines = (await world.call("log", {})).trimEnd().split("\n");
      return lines.length === 4 && lines.map((line) => (JSON.parse(line) as Line).outcome);
    });
    assert.deepEqual(outcomes, ["refused", "allowed", "allowed", "refused"]);
    const said = await world.call("connect", { client: frontend, to: "allowed.test" });
    assert.equal(said.heard, true, "where the client speaks first, too");
    await eventually(5000, "both to be told of as connected", async () => {
      const told = JSON.parse(await world.call("get", { path: "/v1/telemetry/connections" })) as Connections;
      return told.tenants.find(({ tenant }) => tenant === "frontend")?.connected === 2;
    });
  });
});
