import assert from "node:assert/strict";
import type { MeshTables } from "../../../extproc/compiled/snapshot.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import type { DestinationChange } from "../../../extproc/mesh/egress/told-destinations.ts";
import { Mesh } from "../../../extproc/mesh/mesh.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { VirtualAddresses } from "../../../extproc/mesh/virtual-addresses.ts";
import { unpack } from "../server/unpack.ts";
import { objectsOf } from "./objects.ts";

const VIEW = { id: "1", tenant: "web", own: ["web"], namespaces: undefined, searchDomains: [] };
const TABLES: MeshTables = {
  clusterDomain: "cluster.local",
  ttl: 5,
  virtualAddresses: { ipv4: "240.240.0.0/16", ipv6: "2001:2::/48" },
  views: [VIEW],
  viewOf: ["1"],
  owners: [],
  sources: [],
};

function entry(name: string, spec: string, more = ""): string {
  const head = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n";
  return `${head}metadata: { name: ${name}, namespace: web }\nspec: { ${spec} }\n${more}---\n`;
}
const PORT = "ports: [{ number: 5432, name: tcp, protocol: TCP }]";

interface Told {
  readonly match: string;
  readonly type: string;
  readonly endpoints: readonly string[];
}

class World {
  readonly objects = new ObjectStore();
  readonly changes: DestinationChange[] = [];
  readonly told = new Map<string, Told>();
  readonly #later: (() => void)[] = [];
  readonly mesh: Mesh;

  static async open(text: string): Promise<World> {
    const world = new World(await VirtualAddresses.open(() => 0));
    world.objects.apply({ set: objectsOf(text) });
    return world;
  }

  private constructor(virtualAddresses: VirtualAddresses) {
    this.mesh = new Mesh({
      objects: this.objects,
      virtualAddresses,
      after: (_, task) => void this.#later.push(task),
      onExhausted: () => {},
      onError: (error) => assert.fail(error),
    });
  }

  watch(): void {
    this.mesh.watchDestinations((change) => {
      this.changes.push(change);
      for (const id of change.gone) this.told.delete(id);
      for (const { id, cluster, chain } of change.set) this.told.set(id, present(cluster, chain));
    });
    this.pass();
  }

  configure(tables = TABLES): void {
    this.mesh.configure(tables);
    this.pass();
  }

  change(text: string): void {
    this.objects.apply({ set: objectsOf(text) });
    this.pass();
  }

  pass(): void {
    for (let tasks = this.#later.splice(0); tasks.length > 0; tasks = this.#later.splice(0)) {
      for (const task of tasks) task();
    }
  }
}

function present(cluster: Uint8Array, chain: Uint8Array): Told {
  const at = "type.googleapis.com/envoy.config";
  const { filter_chain_match: match } = unpack({ type_url: `${at}.listener.v3.FilterChain`, value: chain }) as {
    filter_chain_match: {
      destination_port: { value: number };
      prefix_ranges: { address_prefix: string; prefix_len: { value: number } }[];
    };
  };
  const {
    type,
    cluster_type: custom,
    load_assignment: load,
  } = unpack({ type_url: `${at}.cluster.v3.Cluster`, value: cluster }) as {
    type?: string;
    cluster_type?: { typed_config: { all_addresses_in_single_endpoint?: boolean } };
    load_assignment: {
      endpoints: {
        lb_endpoints?: {
          endpoint: { address: { socket_address: { address: string; port_value: number } } };
          load_balancing_weight: { value: number };
        }[];
      }[];
    };
  };
  const ranges = match.prefix_ranges.map(({ address_prefix, prefix_len }) => `${address_prefix}/${prefix_len.value}`);
  const inTurn = custom?.typed_config.all_addresses_in_single_endpoint === true;
  return {
    match: `${ranges.join(" ")} ${match.destination_port.value}`,
    type: custom === undefined ? (type ?? "") : inTurn ? "names in turn" : "names",
    endpoints: (load.endpoints[0]?.lb_endpoints ?? []).map(
      ({ endpoint: { address }, load_balancing_weight: { value: weight } }) => {
        const { address: host, port_value: port } = address.socket_address;
        return `${host} ${port}${weight === 1 ? "" : ` x${weight}`}`;
      },
    ),
  };
}

describe("destinations of virtual addresses", () => {
  it("are those of each host and port of an entry without an address, asked for by name", async () => {
    const ports = "ports: [{ number: 80, name: a, targetPort: 8080 }, { number: 53, name: b, protocol: UDP }]";
    const world = await World.open(
      entry("one", `hosts: [a.example, b.example], resolution: DNS, ${ports}`) +
        entry(
          "two",
          `hosts: [c.example], resolution: DNS, ${PORT}, endpoints: [{ address: d.example, ports: { tcp: 1 } }]`,
        ) +
        entry("three", `hosts: [e.example], resolution: DNS_ROUND_ROBIN, ${PORT}`),
    );
    world.configure();
    world.watch();
    const brief = [...world.told].map(([id, { type, endpoints }]) => [id, type, endpoints]);
    assert.deepEqual(brief, [
      ["web/one/a.example/80", "names", ["a.example 8080"]],
      ["web/one/b.example/80", "names", ["b.example 8080"]],
      ["web/two/c.example/5432", "names", ["d.example 1"]],
      ["web/three/e.example/5432", "names in turn", ["e.example 5432"]],
    ]);
    for (const { match } of world.told.values()) {
      assert.match(match, /^240\.240\.\d+\.\d+\/32 2001:2::[0-9a-f:]*\/128 \d+$/);
    }
  });

  it("go to endpoints and workloads by address, for addresses that somebody else has given", async () => {
    const status = "status: { addresses: [{ value: 240.240.9.9 }] }\n";
    const selector = "workloadSelector: { labels: { app: db } }";
    const world = await World.open(
      entry("listed", `hosts: [a.example], resolution: STATIC, ${PORT}, endpoints: [{ address: 10.0.0.1 }]`, status) +
        entry("chosen", `hosts: [b.example], addresses: [10.9.0.1], resolution: STATIC, ${PORT}, ${selector}`) +
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: vm, namespace: web }\n" +
        "spec: { address: 10.0.0.2, labels: { app: db }, ports: { tcp: 15432 } }\n",
    );
    world.configure();
    world.watch();
    assert.deepEqual(Object.fromEntries(world.told), {
      "web/listed/a.example/5432": {
        match: "240.240.9.9/32 5432",
        type: "STATIC",
        endpoints: ["10.0.0.1 5432"],
      },
      "web/chosen/b.example/5432": { match: "10.9.0.1/32 5432", type: "STATIC", endpoints: ["10.0.0.2 15432"] },
    });
    world.change(
      "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: vm, namespace: web }\n" +
        "spec: { address: 10.0.0.3, labels: { app: db } }\n",
    );
    assert.deepEqual(world.told.get("web/chosen/b.example/5432")?.endpoints, ["10.0.0.3 5432"]);
    assert.deepEqual(
      world.changes.map(({ set, gone }) => [set.length, gone.length]),
      [
        [2, 0],
        [1, 0],
      ],
    );
  });

  it("share connections out by weights, where there are any", async () => {
    const spec = `hosts: [a.example], addresses: [10.9.0.1], resolution: STATIC, ${PORT}`;
    const endpoints = "{ address: 10.0.0.1, weight: 3 }, { address: 10.0.0.2, weight: 0 }";
    const world = await World.open(
      entry("one", `${spec}, endpoints: [${endpoints}], workloadSelector: { labels: { app: db } }`) +
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: { name: vm, namespace: web }\n" +
        "spec: { address: 10.0.0.3, labels: { app: db }, weight: 4294967295 }\n",
    );
    world.configure();
    world.watch();
    const told = world.told.get("web/one/a.example/5432")?.endpoints;
    assert.deepEqual(told, ["10.0.0.1 5432 x3", "10.0.0.2 5432", "10.0.0.3 5432 x1000000"]);
  });

  it("are none where names lead to the endpoints themselves, or anywhere", async () => {
    const world = await World.open(
      entry("static", `hosts: [a.example], resolution: STATIC, ${PORT}, endpoints: [{ address: 10.0.0.1 }]`) +
        entry("none", `hosts: [b.example], addresses: [10.9.0.1], resolution: NONE, ${PORT}`) +
        entry("wild", `hosts: ["*.c.example"], resolution: DNS, ${PORT}`),
    );
    world.configure();
    world.watch();
    assert.deepEqual([...world.told.keys()], []);
    assert.equal(world.changes.length, 1, "that there are none is told");
  });

  it("never lead to a virtual address, or to a name where addresses are asked for", async () => {
    const endpoints =
      "[{ address: 240.240.0.7 }, { address: '2001:2::7' }, { address: db.example }, { address: 10.0.0.1 }]";
    const world = await World.open(
      entry(
        "one",
        `hosts: [a.example], addresses: [240.240.0.9], resolution: STATIC, ${PORT}, endpoints: ${endpoints}`,
      ) + entry("two", `hosts: [b.example], resolution: DNS, ${PORT}, endpoints: ${endpoints}`),
    );
    world.configure();
    world.watch();
    const endpointsOf = (id: string) => world.told.get(id)?.endpoints;
    assert.deepEqual(endpointsOf("web/one/a.example/5432"), ["10.0.0.1 5432"]);
    assert.deepEqual(endpointsOf("web/two/b.example/5432"), ["db.example 5432", "10.0.0.1 5432"]);
  });

  it("are told when somebody wants to know, when what they are is known, and then what is other", async () => {
    const world = await World.open(entry("one", `hosts: [a.example], resolution: DNS, ${PORT}`));
    world.watch();
    assert.equal(world.changes.length, 0, "who has an address is not known before there is a policy");
    world.configure();
    assert.deepEqual([...world.told.keys()], ["web/one/a.example/5432"]);
    world.change(entry("two", `hosts: [b.example], resolution: DNS, ${PORT}`));
    world.change(entry("two", `hosts: [b.example], resolution: DNS, ${PORT}, exportTo: ["."]`));
    assert.deepEqual(
      world.changes.map(({ set }) => set.map(({ id }) => id)),
      [["web/one/a.example/5432"], ["web/two/b.example/5432"]],
    );
    world.objects.apply({ delete: [{ kind: "ServiceEntry", namespace: "web", name: "one" }] });
    world.pass();
    assert.deepEqual([...world.told.keys()], ["web/two/b.example/5432"]);
    world.configure({ ...TABLES, virtualAddresses: undefined });
    assert.deepEqual([...world.told.keys()], []);
  });

  it("are known to be none where nobody has names of the mesh", async () => {
    const world = await World.open(entry("one", `hosts: [a.example], resolution: DNS, ${PORT}`));
    world.configure({ ...TABLES, views: [], viewOf: [""] });
    world.watch();
    assert.deepEqual(world.changes, [{ set: [], gone: [] }]);
  });

  it("say the name by which a view may know an address that somebody wrote, or that was given", async () => {
    const written = "addresses: [240.240.9.9], resolution: STATIC, endpoints: [{ address: 10.0.0.1 }]";
    const world = await World.open(
      entry("given", `hosts: [given.example], ${PORT}, resolution: DNS`) +
        entry("written", `hosts: [written.example], ${PORT}, ${written}`) +
        entry("own", `hosts: [own.example], ${PORT}, exportTo: ["."], ${written}`),
    );
    const stranger = { ...VIEW, id: "2", tenant: "other", own: ["other"] };
    world.configure({ ...TABLES, views: [VIEW, stranger], viewOf: ["1", "2"] });
    world.watch();
    const address = world.told.get("web/given/given.example/5432")?.match.split("/")[0] ?? "";
    const nameAt = (view: string, at: string, host?: string) => {
      const name = world.mesh.nameAt(view, at, host);
      return name === undefined ? undefined : presentName(name);
    };
    for (const view of ["1", "2"]) assert.equal(nameAt(view, address), "given.example.");
    for (const view of ["1", "2"]) assert.equal(nameAt(view, "240.240.9.9", "written.example"), "written.example.");
    assert.equal(nameAt("1", "240.240.9.9", "own.example"), "own.example.");
    assert.equal(nameAt("2", "240.240.9.9", "own.example"), undefined);
    assert.equal(nameAt("1", "240.240.9.8", "written.example"), undefined);
    assert.equal(nameAt("1", "240.240.9.9"), undefined);
  });
});
