/**
 * Names of the mesh in the built filter: what is hidden and what is missing are the same octets; changes; a table that is
 * too large; updates that are none.
 */
import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import type { MeshObject } from "../../extproc/mesh/sources/object.ts";
import { objectsOf } from "../extproc/mesh/objects.ts";
import { SeededRandom } from "../host/clock.ts";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import { mutateBytes } from "./fuzz-bytes.ts";
import { readStory } from "./story.ts";

const story = readStory(fileURLToPath(new URL("../scenarios/mesh.story.yaml", import.meta.url)));
/** Tenants of the story. */
const WEB = "127.0.1.7";
const DATA = "127.0.2.7";

function service(name: string, address: string, namespace = "web"): readonly MeshObject[] {
  return objectsOf(
    `apiVersion: v1\nkind: Service\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: { clusterIP: ${address} }\n`,
  );
}

describe("names of the mesh in the filter", () => {
  let world: FakeWorld;
  const open = async (settings = "") => {
    world = await FakeWorld.open(filterWasm, story, settings);
  };
  afterEach(() => world.close());

  const ask = async (name: string, type = "A", from = WEB) => {
    const got = await world.ask({ name, type, from, over: "tcp" }, 5000);
    assert.ok(got, `${name} ${type}: no answer`);
    return got.answer;
  };
  const addresses = async (name: string, from = WEB) => (await ask(name, "A", from)).answers.map(({ data }) => data);

  it("gives what is hidden and what is missing the same octets, in every form", async () => {
    await open();
    await ask("front.web.svc.cluster.local", "A", DATA);
    for (const [hidden, missing, type, from] of [
      ["front.web.svc.cluster.local", "frant.web.svc.cluster.local", "A", DATA],
      ["front.web.svc.cluster.local", "frant.web.svc.cluster.local", "AAAA", DATA],
      ["front.web.svc.cluster.local", "frant.web.svc.cluster.local", "MX", DATA],
      ["front.web.svc.cluster.local", "frant.web.svc.cluster.local", "ANY", DATA],
      ["outside.web.svc.cluster.local", "autside.web.svc.cluster.local", "CNAME", DATA],
      ["_http._tcp.front.web.svc.cluster.local", "_http._tcp.frant.web.svc.cluster.local", "SRV", DATA],
      ["_tcp.front.web.svc.cluster.local", "_tcp.frant.web.svc.cluster.local", "SRV", DATA],
      ["web.svc.cluster.local", "wab.svc.cluster.local", "A", DATA],
      ["away.other.svc.cluster.local", "awoy.other.svc.cluster.local", "A", WEB],
      ["away.other.web.svc.cluster.local", "awoy.other.web.svc.cluster.local", "A", WEB],
      ["away.other.svc.web.svc.cluster.local", "awoy.other.svc.web.svc.cluster.local", "A", WEB],
      [
        "away.other.svc.cluster.local.web.svc.cluster.local",
        "awoy.other.svc.cluster.local.web.svc.cluster.local",
        "A",
        WEB,
      ],
      // Outside of our zones, each is a name like any other.
      ["x.none.example", "y.none.example", "A", WEB],
      ["8.0.0.10.in-addr.arpa", "7.0.0.10.in-addr.arpa", "PTR", WEB],
    ] as const) {
      const [one, other] = [await ask(hidden, type, from), await ask(missing, type, from)];
      const [label = ""] = hidden.split(".").filter((part, index) => part !== missing.split(".")[index]);
      const [instead = ""] = missing.split(".").filter((part, index) => part !== hidden.split(".")[index]);
      const bare = (wire: Buffer) => wire.subarray(2).toString("latin1").replaceAll(label, instead);
      assert.equal(bare(one.wire), bare(other.wire), `${hidden} and ${missing} ${type}`);
      assert.equal(one.rcode, "NXDOMAIN", hidden);
    }
  });

  it("answers by a change at once, and by no other name otherwise", async () => {
    await open();
    assert.deepEqual(await addresses("front.web.svc.cluster.local"), ["10.0.0.1"]);
    world.policy.changeObjects({ set: service("front", "10.0.0.2") });
    assert.deepEqual(await addresses("front.web.svc.cluster.local"), ["10.0.0.2"]);
    world.policy.changeObjects({ set: service("fresh", "10.0.0.3") });
    assert.deepEqual(await addresses("fresh.web.svc.cluster.local"), ["10.0.0.3"]);
    world.policy.changeObjects({ delete: [{ kind: "Service", namespace: "web", name: "front" }] });
    assert.equal((await ask("front.web.svc.cluster.local")).rcode, "NXDOMAIN");
    assert.equal((await addresses("db.data.svc.cluster.local")).length, 2);
  });

  it("takes names away with the policy that does, though the service was away meanwhile", async () => {
    await open();
    assert.equal((await addresses("db.data.svc.cluster.local")).length, 2);
    await world.apply(story.policy.replace("isolation: {from: [data]}", "isolation: {}"));
    assert.equal((await ask("db.data.svc.cluster.local")).rcode, "NXDOMAIN");
    await world.apply(story.policy);
    assert.equal((await addresses("db.data.svc.cluster.local")).length, 2);
    await world.service("killed");
    assert.equal((await addresses("db.data.svc.cluster.local")).length, 2);
    await world.policy.load(`${story.policy.replace("isolation: {from: [data]}", "isolation: {}")}\n---\n${UPSTREAM}`);
    await world.service("back");
    assert.equal((await ask("db.data.svc.cluster.local")).rcode, "NXDOMAIN");
  });

  it("begins each answer with another address", async () => {
    await open();
    const first = new Set<string | undefined>();
    for (let times = 0; times < 40; times++) first.add((await addresses("db.data.svc.cluster.local"))[0]);
    assert.deepEqual([...first].sort(), ["10.1.0.1", "10.1.0.2"]);
  });

  it("begins with the addresses that are nearest to its node, in turn", async () => {
    await open();
    const endpoint = (address: string, zone: string) => `{ addresses: [${address}], zone: ${zone} }`;
    const endpoints = ["a", "b", "b", "c"].map((zone, index) => endpoint(`10.3.0.${index + 1}`, zone));
    world.policy.changeObjects({
      set: objectsOf(`apiVersion: v1
kind: Node
metadata: { name: story, labels: { topology.kubernetes.io/zone: b } }
---
apiVersion: v1
kind: Service
metadata: { name: near, namespace: web }
spec: { clusterIP: None }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: near-1, namespace: web, labels: { kubernetes.io/service-name: near } }
addressType: IPv4
endpoints: [${endpoints.join(", ")}]
`),
    });
    const orders = new Set<string>();
    for (let times = 0; times < 60; times++) {
      const all = await addresses("near.web.svc.cluster.local");
      assert.deepEqual([...all].sort(), ["10.3.0.1", "10.3.0.2", "10.3.0.3", "10.3.0.4"]);
      orders.add(all.slice(0, 2).join(" "));
    }
    assert.deepEqual([...orders].sort(), ["10.3.0.2 10.3.0.3", "10.3.0.3 10.3.0.2"]);
  });

  it("says of a name that it had no room for that it does not know, never that it is not there", async () => {
    await open("mesh_table_bytes=700");
    const rcodes = new Set<string>();
    for (const name of ["front.web", "outside.web", "db.data", "shared.web"]) {
      rcodes.add((await ask(`${name}.svc.cluster.local`)).rcode);
    }
    rcodes.add((await ask("none.web.svc.cluster.local")).rcode);
    assert.ok(!rcodes.has("NXDOMAIN") && rcodes.has("SERVFAIL"), [...rcodes].join(" "));
  });

  it("knows every name while its table grows, and gives back those that are told anew", async function () {
    this.timeout(60_000);
    await open();
    await ask("front.web.svc.cluster.local");
    const names = Array.from({ length: 2500 }, (_, index) => `n${index}`);
    const address = (index: number) => `10.9.${index >> 8}.${index & 255}`;
    const tell = (from: number, to: number) =>
      world.policy.changeObjects({
        set: names.slice(from, to).flatMap((name, at) => service(name, address(from + at))),
      });
    const isKnown = async (index: number) =>
      assert.deepEqual(await addresses(`n${index}.web.svc.cluster.local`), [address(index)], `n${index}`);
    // In steps that end before, while and after names move into a larger table.
    for (let count = 0; count < names.length; count += 250) {
      tell(count, count + 250);
      world.settle();
      for (const index of [0, 1, count >> 1, count, count + 249]) await isKnown(index);
    }
    const sizes: number[] = [];
    for (let round = 0; round < 16; round++) {
      await world.service("killed");
      await world.service("back");
      await world.pass(3000);
      sizes.push(world.host.vm.memory.size);
      for (const index of [0, 100, 1700, 2499]) await isKnown(index);
    }
    assert.equal(sizes.at(-1), sizes[3], sizes.join(" "));
  });

  it("is not brought down by updates that are none, and knows all when they are right again", async function () {
    this.timeout(60_000);
    await open();
    await ask("front.web.svc.cluster.local");
    const random = new SeededRandom(11);
    for (let index = 0; index < 1000; index++) {
      world.policy.corrupt = (message) => mutateBytes(random, message);
      const name = `n${index % 50}`;
      if (index % 7 === 0) world.policy.changeObjects({ delete: [{ kind: "Service", namespace: "web", name }] });
      else world.policy.changeObjects({ set: service(name, `10.9.${index >> 8}.${index & 255}`) });
      world.settle();
      if (index % 50 === 0) {
        world.policy.corrupt = undefined;
        await world.pass(1500);
        await ask("front.web.svc.cluster.local");
      }
    }
    world.policy.corrupt = undefined;
    await world.service("killed");
    await world.service("back");
    await world.pass(3000);
    world.policy.changeObjects({ set: service("n1", "10.9.99.99") });
    assert.deepEqual(await addresses("n1.web.svc.cluster.local"), ["10.9.99.99"]);
  });
});

const UPSTREAM = `apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: public}
spec: {protocol: DoT, servers: [{address: 127.0.0.1, port: 8000, serverName: dns.upstream.example}]}
`;
