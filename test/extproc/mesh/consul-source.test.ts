/**
 * Consul as a source of names: with a real agent where `CONSUL` names its program, else with a stand-in.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Catalogs } from "../../../extproc/mesh/catalogs/catalogs.ts";
import { contentOf } from "../../../extproc/mesh/names/entry.ts";
import { NameTable } from "../../../extproc/mesh/names/name-table.ts";
import { wireOf } from "../../../extproc/mesh/names/wire.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { eventually } from "../../e2e/clients/deadline.ts";
import { command } from "../../e2e/tools.ts";
import { problemsOf } from "../compile/compile-text.ts";
import { type ConsulAgent, NODE, PROGRAM, StandIn, startConsul, startReal } from "./consul-agent.ts";
import { presentRecord } from "./present-record.ts";

describe("mesh: Consul as a source of names", function () {
  this.timeout(60_000);
  let agent: ConsulAgent;
  let catalogs: Catalogs;
  let table: NameTable;

  afterEach(async () => {
    catalogs?.close();
    await agent?.stop();
  });

  function follow(more: object = {}): Promise<void> {
    catalogs = new Catalogs({
      now: Date.now,
      after: (milliseconds, task) => void setTimeout(task, milliseconds),
      directory: undefined,
      onProblem: () => {},
    });
    table = new NameTable(new ObjectStore(), {
      clusterDomain: "cluster.local",
      ttl: 5,
      addressesOf: () => [],
      catalogs,
    });
    catalogs.listen((name, keys) => table.changeCatalog(name, catalogs.get(name), keys));
    const consul = { address: agent.url, datacenters: [], domain: "consul", ttl: 5, ...more };
    return catalogs.follow([{ name: "consul", namespace: "vms", exportTo: [], consul }]);
  }

  /** Records of a name; undefined for one that is not there. */
  function at(name: string): string[] | undefined {
    const [entry] = table.entriesAt(wireOf(`${name}.consul`), false);
    return entry && contentOf(entry).records.map(presentRecord).sort();
  }

  async function becomes(name: string, ...expected: readonly string[]): Promise<void> {
    await eventually(10_000, name, () => {
      const found = at(name) ?? [];
      if (found.join("; ") !== expected.join("; ")) throw new Error(`expected ${expected}, got ${found}`);
      return true;
    });
  }

  async function startWithServices(): Promise<void> {
    agent = await startConsul();
    await agent.register({ id: "web-1", name: "web", port: 8080, tags: ["blue", "v1"] });
    await agent.register({ id: "web-2", name: "web", port: 8081, tags: ["green"], address: "10.40.0.2", weight: 7 });
  }

  it("has services, tags, nodes and ports by the names that Consul's own DNS has", async () => {
    await startWithServices();
    await follow();
    const [one, two] = [`SRV 1 1 8080 ${NODE}.node.dc1.consul`, "SRV 1 7 8081 0a280002.addr.dc1.consul"];
    for (const name of ["web.service", "web.service.dc1"]) {
      assert.deepEqual(at(name), ["A 10.40.0.2", "A 127.0.0.1", one, two], name);
    }
    for (const name of ["blue.web.service", "v1.web.service.dc1"])
      assert.deepEqual(at(name), ["A 127.0.0.1", one], name);
    for (const name of ["_web._tcp.service", "_web._tcp", "_web._tcp.service.dc1"])
      assert.deepEqual(at(name), [one, two]);
    assert.deepEqual(at("_web._green.service"), [two]);
    assert.deepEqual(at(`${NODE}.node`), ["A 127.0.0.1"]);
    assert.deepEqual(at(`${NODE}.node.dc1`), ["A 127.0.0.1"]);
    assert.deepEqual(at("0a280002.addr.dc1"), ["A 10.40.0.2"]);
    assert.equal(at("red.web.service"), undefined);
    assert.match(catalogs.status()[0]?.from ?? "", /^Consul at http:/);
    if (agent.dnsPort === undefined) return;
    await areTheirs(agent.dnsPort, [
      ["web.service", "A"],
      ["blue.web.service.dc1", "A"],
      ["web.service", "SRV"],
      ["_web._tcp.service", "SRV"],
      ["_web._green.service", "SRV"],
      [`${NODE}.node`, "A"],
      ["0a280002.addr.dc1", "A"],
    ]);
  });

  /** A real agent's own DNS has the same. */
  async function areTheirs(port: number, names: readonly (readonly [name: string, type: string])[]): Promise<void> {
    for (const [name, type] of names) {
      const answer = await command("dig", "@127.0.0.1", "-p", String(port), `${name}.consul`, type, "+short");
      const theirs = answer
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => `${type} ${line.replace(/\.$/, "")}`);
      assert.deepEqual(
        at(name)?.filter((record) => record.startsWith(`${type} `)),
        theirs.sort(),
        `${name} ${type}`,
      );
    }
  }

  if (PROGRAM !== "") {
    it("has those of other datacenters by their names, and keeps them while one is away", async () => {
      const first = await startReal("dc1", NODE);
      const second = await startReal("dc2", "node-2", first.wanPort);
      agent = first;
      try {
        await eventually(20_000, "the datacenters know each other", async () =>
          (await (await fetch(`${first.url}/v1/catalog/nodes?dc=dc2`)).text()).includes("node-2"),
        );
        await first.register({ id: "web-1", name: "web", port: 8080 });
        await second.register({ id: "web-1", name: "web", port: 8081, address: "10.50.0.1" });
        await second.register({ id: "db-1", name: "db", port: 5432, address: "10.50.0.2" });
        await follow({ datacenters: ["dc2"] });
        await becomes("db.service.dc2", "A 10.50.0.2", "SRV 1 1 5432 0a320002.addr.dc2.consul");
        await becomes("web.service.dc2", "A 10.50.0.1", "SRV 1 1 8081 0a320001.addr.dc2.consul");
        const own = ["A 127.0.0.1", `SRV 1 1 8080 ${NODE}.node.dc1.consul`];
        for (const name of ["web.service", "web.service.dc1"]) assert.deepEqual(at(name), own, name);
        for (const name of ["db.service", "node-2.node"]) assert.equal(at(name), undefined, name);
        if (first.dnsPort !== undefined) {
          await areTheirs(first.dnsPort, [
            ["web.service", "A"],
            ["web.service.dc1", "SRV"],
            ["web.service.dc2", "A"],
            ["web.service.dc2", "SRV"],
            ["db.service.dc2", "SRV"],
            ["_db._tcp.service.dc2", "SRV"],
            ["node-2.node.dc2", "A"],
            ["0a320002.addr.dc2", "A"],
          ]);
        }
        await second.check("db-1", "fail");
        await becomes("db.service.dc2");
        assert.equal(catalogs.status()[0]?.error, "");
      } finally {
        await second.stop();
      }
      await eventually(30_000, "it is known to be away", () => catalogs.status()[0]?.error !== "");
      assert.deepEqual(at("web.service.dc2"), ["A 10.50.0.1", "SRV 1 1 8081 0a320001.addr.dc2.consul"]);
      await first.deregister("web-1");
      await becomes("web.service");
    });
  }

  it("has instances that pass their checks, and follows what changes", async () => {
    await startWithServices();
    await follow();
    await agent.check("web-1", "fail");
    await becomes("web.service", "A 10.40.0.2", "SRV 1 7 8081 0a280002.addr.dc1.consul");
    await agent.check("web-2", "warn");
    await becomes("web.service");
    await agent.check("web-1", "pass");
    await becomes("blue.web.service", "A 127.0.0.1", `SRV 1 1 8080 ${NODE}.node.dc1.consul`);
    await agent.register({ id: "db-1", name: "db", port: 5432, address: "10.40.0.9" });
    await becomes("db.service", "A 10.40.0.9", "SRV 1 1 5432 0a280009.addr.dc1.consul");
    await agent.deregister("db-1");
    await becomes("db.service");
    assert.equal(catalogs.status()[0]?.error, "");
  });

  it("asks as Consul wants it: anew when the index goes back, and less when there is no answer", async () => {
    const standIn = await new StandIn().start();
    agent = standIn;
    await agent.register({ id: "web-1", name: "web", port: 8080 });
    await follow();
    const asked = () => standIn.asked.filter((path) => path.startsWith("/v1/health/service/web"));
    await eventually(5000, "it waits for something new", () => asked().at(-1)?.includes("index="));
    assert.deepEqual(asked(), [
      "/v1/health/service/web?passing=true",
      "/v1/health/service/web?passing=true&index=11&wait=300s",
    ]);
    standIn.restore([
      { ID: "web-1", Service: "web", Port: 9090, Tags: [], Address: "", Weights: { Passing: 1, Warning: 1 } },
    ]);
    await becomes("_web._tcp", `SRV 1 1 9090 ${NODE}.node.dc1.consul`);
    await eventually(5000, "it asks without an index", () => asked().at(-1)?.endsWith("index=3&wait=300s"));
    assert.ok(asked().includes("/v1/health/service/web?passing=true"));

    // Away, its names stay; back, it is asked again.
    const { port } = new URL(standIn.url);
    await standIn.stop();
    await eventually(5000, "it is known to be away", () => catalogs.status()[0]?.error.includes("ECONN"));
    assert.deepEqual(at("_web._tcp"), [`SRV 1 1 9090 ${NODE}.node.dc1.consul`]);
    const another = await new StandIn().start(Number(port));
    agent = another;
    await agent.register({ id: "web-1", name: "web", port: 7070 });
    await becomes("_web._tcp", `SRV 1 1 7070 ${NODE}.node.dc1.consul`);
    await eventually(5000, "all is well", () => catalogs.status()[0]?.error === "");
    assert.ok(another.asked.length < 20, `asked ${another.asked.length} times`);
  });

  it("is one of the places that names come from, by a URL without a path", () => {
    const told = (spec: string) =>
      problemsOf(
        `apiVersion: dns.mesh/v1alpha1\nkind: MeshSource\nmetadata: { name: a }\nspec: { namespace: vms${spec} }\n`,
      ).map((problem) => problem.replace(/^.*?spec/, "spec"));
    assert.deepEqual(told(""), ["spec: expected transfer or consul, got none of them"]);
    assert.deepEqual(told(', consul: { address: "http://127.0.0.1:8500" }'), []);
    assert.deepEqual(told(', consul: { address: "consul:8500" }'), [
      'spec.consul.address: expected http://HOST:PORT or https://HOST:PORT, got "consul:8500"',
    ]);
    assert.match(told(", exportTo: [Web], consul: { address: 'http://a:1/v1' }").join(), /exportTo\[0\].*address/);
  });

  it("shows its token, and says what is refused", async () => {
    const standIn = await new StandIn().start();
    agent = standIn;
    standIn.token = "secret";
    const directory = await mkdtemp(join(tmpdir(), "consul-"));
    try {
      const tokenFile = join(directory, "token");
      await writeFile(tokenFile, "other\n");
      await follow({ tokenFile });
      assert.match(catalogs.status()[0]?.error ?? "", /expected status 200, got 403: "Permission denied"/);
      await writeFile(tokenFile, "secret\n");
      await eventually(10_000, "the token is taken", () => catalogs.status()[0]?.error === "");
      assert.deepEqual(at(`${NODE}.node`), ["A 127.0.0.1"]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
