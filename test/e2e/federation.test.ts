/**
 * Names of other catalogs, answered by Envoy's workers as names of the mesh: a zone of a real BIND, machines that
 * register or are ill, and Consul.
 */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROGRAM } from "../extproc/cli/run-command.ts";
import { KEY_NAME, type Named, startNamed } from "../extproc/lists/named.ts";
import { startConsul } from "../extproc/mesh/consul-agent.ts";
import { eventually } from "./clients/deadline.ts";
import { encodeQuestion } from "./dns.ts";

import { freePort } from "./ports.ts";
import { Program } from "./process.ts";
import { Stack, type StackOptions } from "./stack.ts";
import type { Client } from "./target.ts";

const ZONE = "cloud.example";
const RECORDS = `db 300 A 10.20.0.1
api 120 CNAME db
out 120 CNAME www.example.org.
_sql._tcp 120 SRV 1 5 5432 db
*.apps 60 A 10.20.0.4
`;

const tenant = (name: string, address: string, more: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${name}}
spec: {match: [{cidrs: ["${address}/32"]}], upstream: public, ${more}}
---
`;
const tenants =
  tenant("frontend", "127.0.1.1", "namespaces: [web], isolation: {discover: All}") +
  tenant("backend", "127.0.2.1", "namespaces: [data], isolation: {discover: All}") +
  tenant("platform", "127.0.3.1", "namespaces: [cloud]");
const vms = `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay, namespace: web}
spec: {hosts: [pay.example], resolution: STATIC, workloadSelector: {labels: {app: pay}}}
`;
const upstreams: StackOptions["upstreams"] = {
  public: { zone: "db.cloud.example 300 A 192.0.2.1\nwww.example.org 300 A 192.0.2.2\nready.test 300 A 192.0.2.9" },
};

describe("names of other catalogs", function () {
  this.timeout(90_000);
  let directory = "";
  let named: Named;
  let stack: Stack;

  before(async function () {
    if (!existsSync("/usr/sbin/named")) this.skip();
    directory = await mkdtemp(join(tmpdir(), "federation-"));
    const notifyPort = await freePort();
    named = await startNamed({ directory: join(directory, "bind"), zone: ZONE, records: RECORDS, notifyPort });
    stack = await Stack.start({
      policy: tenants + source("[web]"),
      upstreams,
      serve: () => ["--list-notify", `127.0.0.1:${notifyPort}`],
    });
  });
  after(async () => {
    await stack?.stop();
    await named?.stop();
    if (directory !== "") await rm(directory, { recursive: true });
  });

  const source = (exportTo: string) => `apiVersion: dns.mesh/v1alpha1
kind: MeshSource
metadata: {name: other-cloud}
spec:
  namespace: cloud
  exportTo: ${exportTo}
  transfer:
    zone: ${ZONE}
    primaries: [{address: 127.0.0.1, port: ${named.port}}]
    tsig: {name: ${KEY_NAME}, secretFile: ${named.secretFile}}
`;

  async function ask(name: string, type = "A", client: Client = "frontend"): Promise<string[]> {
    const { rcode, answers } = await stack.ask.udp(encodeQuestion(name, { type }), client);
    return [rcode, ...answers.map(({ name: owner, ttl, type: kind, data }) => `${owner} ${ttl} ${kind} ${data}`)];
  }

  const becomes = (what: string, expected: readonly string[], name: string) =>
    eventually(10_000, what, async () => (await ask(name)).join() === expected.join());

  it("come out of a zone, for those whom it is exported to", async () => {
    await becomes("the zone is fetched", ["NOERROR", "db.cloud.example 300 A 10.20.0.1"], "db.cloud.example");
    assert.deepEqual(await ask("api.cloud.example"), [
      "NOERROR",
      "api.cloud.example 120 CNAME db.cloud.example",
      "db.cloud.example 300 A 10.20.0.1",
    ]);
    assert.deepEqual(await ask("out.cloud.example"), [
      "NOERROR",
      "out.cloud.example 120 CNAME www.example.org",
      "www.example.org 300 A 192.0.2.2",
    ]);
    assert.deepEqual(await ask("_sql._tcp.cloud.example", "SRV"), [
      "NOERROR",
      "_sql._tcp.cloud.example 120 SRV 1 5 5432 db.cloud.example",
    ]);
    assert.deepEqual(await ask("shop.apps.cloud.example"), ["NOERROR", "shop.apps.cloud.example 60 A 10.20.0.4"]);
    assert.deepEqual(await ask("db.cloud.example", "AAAA"), ["NOERROR"]);
    // To others, these are names like any other; and so are names that the zone does not have.
    for (const client of ["backend", "platform"] as const) {
      assert.deepEqual(await ask("db.cloud.example", "A", client), ["NOERROR", "db.cloud.example 300 A 192.0.2.1"]);
    }
    assert.deepEqual(await ask("none.cloud.example"), ["NXDOMAIN"]);
    assert.match(await stack.service.command("status"), /^source other-cloud: \d+ names, serial 1, read 20.*Z$/m);
  });

  it("change with it, when it says so", async () => {
    await named.update(`add new.${ZONE}. 60 A 10.20.1.1`, `delete db.${ZONE}. A`, `add db.${ZONE}. 60 A 10.20.1.2`);
    await becomes("there is a new name", ["NOERROR", "new.cloud.example 60 A 10.20.1.1"], "new.cloud.example");
    assert.deepEqual(await ask("db.cloud.example"), ["NOERROR", "db.cloud.example 60 A 10.20.1.2"]);
    await named.update(`delete new.${ZONE}. A`);
    await becomes("the name is gone", ["NXDOMAIN"], "new.cloud.example");
  });

  it("stay while it is away, over a restart of the service", async () => {
    await named.stop();
    await stack.service.stop();
    await stack.service.restart();
    await eventually(10_000, "the source is known to fail", async () =>
      (await stack.service.command("status")).includes("ECONNREFUSED"),
    );
    assert.deepEqual(await ask("api.cloud.example"), [
      "NOERROR",
      "api.cloud.example 120 CNAME db.cloud.example",
      "db.cloud.example 60 A 10.20.1.2",
    ]);
    assert.match(await stack.service.metrics(), /^dns_mesh_source_failing\{source="other-cloud"\} 1$/m);
  });

  it("are others' as soon as the policy says so", async () => {
    await stack.apply(stack.policy({ policy: tenants + source("[data]"), upstreams }));
    const addressOf = async (client: Client) => (await ask("db.cloud.example", "A", client))[1]?.split(" ").at(-1);
    assert.deepEqual([await addressOf("frontend"), await addressOf("backend")], ["192.0.2.1", "10.20.1.2"]);
  });

  it("come from machines that register, for as long as they say so", async () => {
    await stack.apply(stack.policy({ policy: tenants + vms, upstreams }));
    const register = (address: string) =>
      new Program("register", "node", [
        ...PROGRAM,
        "register",
        ...["--server", `unix:${stack.directory}/admin.sock`, "--namespace", "web", "--service", "pay"],
        ...["--address", address, "--ttl", "3s"],
      ]);
    const machines = [register("10.30.0.1"), register("10.30.0.2")] as const;
    const addresses = async () => (await ask("pay.example")).slice(1).map((record) => record.split(" ").at(-1));
    const are = (what: string, ...expected: readonly string[]) =>
      eventually(30_000, what, async () => {
        const found = (await addresses()).sort().join();
        if (found !== expected.join()) throw new Error(`expected ${expected}, got ${found}`);
        return true;
      });
    try {
      await are("both are endpoints", "10.30.0.1", "10.30.0.2");
      await stack.service.kill();
      await stack.service.restart();
      await are("both are endpoints still", "10.30.0.1", "10.30.0.2");
      // One is taken away, the other says good-bye.
      await machines[0].kill();
      await are("one is gone", "10.30.0.2");
      assert.deepEqual(await ask("pay.example", "A", "backend"), ["NOERROR", "pay.example 5 A 10.30.0.2"]);
    } finally {
      for (const machine of machines) await machine.stop();
    }
    await eventually(5000, "nobody is left", async () => (await addresses()).length === 0);
  });

  it("come from Consul, as instances pass their checks", async () => {
    const consul = await startConsul();
    try {
      await consul.register({ id: "cart-1", name: "cart", port: 8080, tags: ["blue"], address: "10.40.0.1" });
      await consul.register({ id: "cart-2", name: "cart", port: 8080, address: "10.40.0.2" });
      const fromConsul = `---
apiVersion: dns.mesh/v1alpha1
kind: MeshSource
metadata: {name: consul}
spec: {namespace: web, consul: {address: "${consul.url}"}}
`;
      await stack.apply(stack.policy({ policy: tenants + vms + fromConsul, upstreams }));
      const blue = "blue.cart.service.consul";
      await becomes("services are told", ["NOERROR", `${blue} 5 A 10.40.0.1`], blue);
      assert.deepEqual(await ask("_cart._blue.service.consul", "SRV"), [
        "NOERROR",
        "_cart._blue.service.consul 5 SRV 1 1 8080 0a280001.addr.dc1.consul",
      ]);
      await consul.check("cart-1", "fail");
      await becomes("one does not pass", ["NOERROR", "cart.service.consul 5 A 10.40.0.2"], "cart.service.consul");
      assert.deepEqual(await ask("cart.service.consul", "A", "platform"), ["NXDOMAIN"]);
    } finally {
      await consul.stop();
    }
  });

  it("are told without endpoints that are ill", async () => {
    const server = createServer((socket) => socket.end());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const checked = `---
apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {mesh: {healthChecks: {interval: 1s, unhealthyAfter: 2}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: checked, namespace: web, annotations: {dns.mesh/health-check: "tcp://:${port}"}}
spec: {hosts: [checked.example], resolution: STATIC, endpoints: [{address: 127.0.0.1}, {address: 127.0.0.9}]}
`;
    const are = (...addresses: readonly string[]) =>
      eventually(20_000, `the endpoints are ${addresses}`, async () => {
        const [rcode, ...records] = await ask("checked.example");
        const found = [rcode, ...records.map((record) => record.split(" ").at(-1)).sort()];
        return found.join() === ["NOERROR", ...addresses].join();
      });
    try {
      await stack.apply(stack.policy({ policy: tenants + checked, upstreams }));
      await are("127.0.0.1");
    } finally {
      server.close();
    }
    // Where none is left, all are told.
    await are("127.0.0.1", "127.0.0.9");
  });
});
