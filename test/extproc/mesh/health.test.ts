import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { HealthChecks, NO_HEALTH } from "../../../extproc/mesh/health/health-checks.ts";
import { checkProblem, probe } from "../../../extproc/mesh/health/probe.ts";
import { contentOf } from "../../../extproc/mesh/names/entry.ts";
import { NameTable } from "../../../extproc/mesh/names/name-table.ts";
import { wireOf } from "../../../extproc/mesh/names/wire.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { objectsOf } from "./objects.ts";
import { presentRecord } from "./present-record.ts";

const SETTINGS = { intervalMs: 10_000, timeoutMs: 1000, unhealthyAfter: 2, healthyAfter: 1 };
const ENTRY = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: pay, namespace: shop, annotations: { dns.mesh/health-check: "tcp://:80" } }
spec:
  hosts: [pay.example]
  resolution: STATIC
  endpoints: [{ address: 10.0.0.1 }, { address: 10.0.0.2 }]
  workloadSelector: { labels: { app: pay } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: vm, namespace: shop, annotations: { dns.mesh/health-check: "http://:81/healthz" } }
spec: { address: 10.0.0.3, labels: { app: pay } }
---
apiVersion: v1
kind: Pod
metadata: { name: pod, namespace: shop, labels: { app: pay } }
status: { podIP: 10.0.0.4 }
`;

class World {
  readonly ill = new Set<string>();
  readonly looked: string[] = [];
  readonly objects = new ObjectStore();
  readonly health: HealthChecks;
  readonly table: NameTable;
  #later: (() => void)[] = [];

  constructor(text: string) {
    this.health = new HealthChecks({
      after: (_, task) => void this.#later.push(task),
      probe: async (check, address) => {
        this.looked.push(`${check} ${address}`);
        return !this.ill.has(address);
      },
      onProblem: () => {},
    });
    this.objects.apply({ set: objectsOf(text) });
    const { health } = this;
    const options = { clusterDomain: "cluster.local", ttl: 5, addressesOf: () => [], health };
    this.table = new NameTable(this.objects, options);
    for (const _ of this.table.build());
    health.listen((owners) => this.table.changeHealth(owners));
    this.objects.onChange((changes) => this.table.change(changes));
  }

  /** Looks at each once more; gives what was looked at. */
  async look(): Promise<string[]> {
    for (const task of this.#later.splice(0)) task();
    await new Promise((resolve) => setImmediate(resolve));
    return this.looked.splice(0).sort();
  }

  get addresses(): string[] {
    const [entry] = this.table.entriesAt(wireOf("pay.example"), false);
    return entry === undefined ? [] : contentOf(entry).records.map(presentRecord).sort();
  }
}

const AT_AN_ADDRESS = ENTRY.replace(
  "  resolution:",
  "  addresses: [10.9.0.1]\n  ports: [{ number: 80, name: http }]\n  resolution:",
);

describe("mesh: health of endpoints", () => {
  it("takes ill ones out of the answers, and puts them back; those of Kubernetes are not looked at", async () => {
    const world = new World(ENTRY);
    const all = ["A 10.0.0.1", "A 10.0.0.2", "A 10.0.0.3", "A 10.0.0.4"];
    assert.deepEqual([await world.look(), world.addresses], [[], all]);
    world.health.configure(SETTINGS);
    assert.deepEqual(await world.look(), ["http://:81/healthz 10.0.0.3", "tcp://:80 10.0.0.1", "tcp://:80 10.0.0.2"]);
    world.ill.add("10.0.0.1").add("10.0.0.3");
    await world.look();
    assert.deepEqual(world.addresses, all);
    await world.look();
    assert.deepEqual(world.addresses, ["A 10.0.0.2", "A 10.0.0.4"]);
    assert.deepEqual(world.health.status(), {
      checked: 3,
      ill: 2,
      illEndpoints: [
        { check: "tcp://:80", address: "10.0.0.1", owners: ["ServiceEntry/shop/pay"] },
        { check: "http://:81/healthz", address: "10.0.0.3", owners: ["ServiceEntry/shop/pay"] },
      ],
    });
    world.ill.delete("10.0.0.3");
    await world.look();
    assert.deepEqual(world.addresses, ["A 10.0.0.2", "A 10.0.0.3", "A 10.0.0.4"]);
    world.health.configure(undefined);
    assert.deepEqual(world.addresses, all);
    assert.deepEqual(await world.look(), []);
  });

  it("takes ill ones out of where connections to the entry's own address go", async () => {
    const world = new World(AT_AN_ADDRESS);
    const endpoints = () =>
      world.table.destinationsOf("shop", "pay").map((one) => one.endpoints.map(({ address }) => address).sort());
    world.health.configure(SETTINGS);
    world.ill.add("10.0.0.1").add("10.0.0.3");
    await world.look();
    assert.deepEqual(endpoints(), [["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]]);
    await world.look();
    assert.deepEqual(endpoints(), [["10.0.0.2", "10.0.0.4"]]);
  });

  it("counts looks in a row alone", async () => {
    const world = new World(ENTRY);
    world.health.configure(SETTINGS);
    for (let turn = 0; turn < 6; turn++) {
      if (turn % 2 === 0) world.ill.add("10.0.0.1");
      else world.ill.clear();
      await world.look();
      assert.equal(world.addresses.length, 4);
    }
  });

  it("never takes the last ones: where all are ill, all are told", async () => {
    const world = new World(ENTRY);
    world.objects.apply({ delete: [{ kind: "Pod", namespace: "shop", name: "pod" }] });
    world.health.configure(SETTINGS);
    for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) world.ill.add(address);
    for (let turn = 0; turn < 3; turn++) await world.look();
    assert.equal(world.health.status().ill, 3);
    assert.deepEqual(world.addresses, ["A 10.0.0.1", "A 10.0.0.2", "A 10.0.0.3"]);
  });

  it("ends with the endpoint", async () => {
    const world = new World(ENTRY);
    world.health.configure(SETTINGS);
    world.objects.apply({ delete: [{ kind: "WorkloadEntry", namespace: "shop", name: "vm" }] });
    assert.deepEqual(await world.look(), ["tcp://:80 10.0.0.1", "tcp://:80 10.0.0.2"]);
    world.objects.apply({ delete: [{ kind: "ServiceEntry", namespace: "shop", name: "pay" }] });
    assert.deepEqual(await world.look(), []);
    assert.deepEqual(world.health.status(), NO_HEALTH);
  });

  it("looks by TCP and HTTP, and not for longer than it may", async () => {
    const web = createHttpServer((request, response) => {
      if (request.url === "/hangs") return;
      response.writeHead(request.url === "/ill" ? 503 : request.url === "/moved" ? 302 : 200).end();
    });
    web.listen(0, "127.0.0.1");
    await once(web, "listening");
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const [open, closed] = [web, gone].map((server) => (server.address() as AddressInfo).port);
    gone.close();
    await once(gone, "close");
    const look = (check: string) => probe(check, "127.0.0.1", 300);
    assert.deepEqual(
      [await look(`tcp://:${open}`), await look(`http://:${open}/healthz`), await look(`http://:${open}/moved`)],
      [true, true, true],
    );
    assert.deepEqual(
      [await look(`tcp://:${closed}`), await look(`http://:${closed}`), await look(`http://:${open}/ill`)],
      [false, false, false],
    );
    assert.equal(await look(`http://:${open}/hangs`), false);
    web.closeAllConnections();
    web.close();
  });

  it("knows what a check is", () => {
    for (const text of ["tcp://:1", "http://:65535", "http://:80/a?b=c"])
      assert.equal(checkProblem(text), undefined, text);
    for (const text of [
      "tcp://:0",
      "tcp://:65536",
      "tcp://:80/x",
      "http://host:80/",
      "https://:443",
      "http://:80/a b",
      "",
    ])
      assert.equal(checkProblem(text), "tcp://:PORT or http://:PORT/PATH", text);
  });
});
