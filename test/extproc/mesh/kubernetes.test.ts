/**
 * Objects of a live API: of a stand-in that does what a real one seldom does, and of a real one where there is one
 * (DNSPOLICY_TEST_KUBECONFIG names its kubeconfig; its objects of this test are removed).
 */
import { strict as assert } from "node:assert";
import { contentOf } from "../../../extproc/mesh/names/entry.ts";
import { NameTable } from "../../../extproc/mesh/names/name-table.ts";
import { wireOf } from "../../../extproc/mesh/names/wire.ts";
import { type KubernetesSource, watchKubernetes } from "../../../extproc/mesh/sources/kubernetes.ts";
import { MeshSource } from "../../../extproc/mesh/sources/mesh-source.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { LocalObjects } from "../../../extproc/mesh/sources/pushed-objects.ts";
import { eventually } from "../../e2e/clients/deadline.ts";
import { objectsOf } from "./objects.ts";
import { type ApiObject, StandInApi } from "./stand-in-api.ts";

const SERVICES = "/api/v1/services";
const SLICES = "/apis/discovery.k8s.io/v1/endpointslices";

/** A stand-in with Services alone. */
class ServiceApi {
  readonly #objects = new Map<string, ApiObject>();
  readonly api: StandInApi;
  lists = 0;

  static async start(): Promise<ServiceApi> {
    const objects = new Map<string, ApiObject>();
    return new ServiceApi(objects, await StandInApi.start({ [SERVICES]: () => [...objects.values()] }));
  }

  private constructor(objects: Map<string, ApiObject>, api: StandInApi) {
    this.#objects = objects;
    this.api = api;
    this.api.onList = (path) => {
      if (path === SERVICES) this.lists++;
    };
  }

  set(name: string, spec: object): void {
    const known = this.#objects.has(name);
    const object = { metadata: { name, namespace: "prod", resourceVersion: this.api.nextVersion() }, spec };
    this.#objects.set(name, object);
    this.api.tell(SERVICES, known ? "MODIFIED" : "ADDED", object);
  }

  /** `quietly`: nobody that watches hears of it. */
  delete(name: string, quietly = false): void {
    const object = this.#objects.get(name);
    this.#objects.delete(name);
    const resourceVersion = this.api.nextVersion();
    if (object && !quietly) {
      this.api.tell(SERVICES, "DELETED", { ...object, metadata: { ...object.metadata, resourceVersion } });
    }
  }
}

describe("objects of a live Kubernetes API", function () {
  this.timeout(30_000);
  let api: ServiceApi;
  let source: KubernetesSource;
  let problems: string[];
  beforeEach(async () => {
    api = await ServiceApi.start();
    problems = [];
  });
  afterEach(async () => {
    await source.close();
    await api.api.stop();
  });

  const watch = async () => {
    source = await watchKubernetes({
      config: api.api.config,
      after: (milliseconds, task) => void setTimeout(task, milliseconds).unref(),
      onProblem: (fields, message) => problems.push(`${message} ${JSON.stringify(fields)}`),
    });
    await source.listed;
  };
  const addressOf = (name: string) => source.objects.get("Service", "prod", name)?.value.spec.clusterIP;
  const soon = (what: string, holds: () => boolean) => eventually(8000, what, () => holds());

  it("are all there when they have been listed, and follow what happens to them", async () => {
    api.set("a", { clusterIP: "10.0.0.1" });
    await watch();
    assert.equal(addressOf("a"), "10.0.0.1");
    api.set("a", { clusterIP: "10.0.0.2" });
    api.set("b", { clusterIP: "10.0.0.3" });
    await soon("changes", () => addressOf("a") === "10.0.0.2" && addressOf("b") === "10.0.0.3");
    api.delete("a");
    await soon("a deletion", () => addressOf("a") === undefined);
    assert.equal(api.lists, 1);
  });

  it("go on after a watch that was dropped, with nothing lost and nothing listed again", async () => {
    await watch();
    for (let times = 1; times <= 3; times++) {
      api.api.dropWatches();
      api.set("a", { clusterIP: `10.0.0.${times}` });
      await soon("a change", () => addressOf("a") === `10.0.0.${times}`);
    }
    assert.equal(api.lists, 1);
  });

  it("are listed anew where the API has forgotten, and only what is gone goes", async () => {
    api.set("a", { clusterIP: "10.0.0.1" });
    api.set("b", { clusterIP: "10.0.0.2" });
    await watch();
    const heard: string[] = [];
    source.objects.onChange((changes) => {
      for (const { key, after } of changes) heard.push(`${key.name} ${after === undefined ? "gone" : "there"}`);
    });
    api.delete("b", true);
    api.api.forget();
    await soon("the deletion that was missed", () => addressOf("b") === undefined);
    assert.deepEqual(heard, ["b gone"]);
    assert.equal(addressOf("a"), "10.0.0.1");
    api.set("c", { clusterIP: "10.0.0.3" });
    await soon("what comes afterwards", () => addressOf("c") === "10.0.0.3");
  });

  it("come in pages, and are all there all the same", async () => {
    const names = Array.from({ length: 1201 }, (_, index) => `s${index}`);
    for (const name of names) api.set(name, { clusterIP: "10.0.0.1" });
    await watch();
    assert.equal([...source.objects.list("Service")].length, names.length);
    assert.equal(api.lists, 1);
  });

  it("stay while the API fails, and nothing counts as listed before it was", async () => {
    api.set("a", { clusterIP: "10.0.0.1" });
    api.api.failures = Array.from({ length: 7 }, () => 503);
    await watch();
    assert.equal(addressOf("a"), "10.0.0.1");
    assert.match(problems.join("\n"), /cannot be watched: what is known stays/);
  });

  it("pass by an object that is none of ours to understand, and say so", async () => {
    api.set("bad", { clusterIP: "ten" });
    api.set("good", { clusterIP: "10.0.0.1" });
    await watch();
    assert.equal(addressOf("bad"), undefined);
    assert.equal(addressOf("good"), "10.0.0.1");
    assert.match(problems.join("\n"), /is passed by .*prod\/bad.*spec\.clusterIP: expected an address/);
  });

  it("come after what was pushed by the same name", async () => {
    api.set("a", { clusterIP: "10.0.0.1" });
    await watch();
    const mesh = new MeshSource(await LocalObjects.open(undefined), source);
    const heard: string[] = [];
    mesh.objects.onChange((changes) => {
      for (const { before, after } of changes) {
        const [from, to] = [before, after].map((one) => (one?.kind === "Service" ? one.value.spec.clusterIP : "none"));
        heard.push(`${from} ${to}`);
      }
    });
    const key = { kind: "Service", namespace: "prod", name: "a" } as const;
    const pushed =
      "apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: prod }\nspec: { clusterIP: 10.9.9.9 }\n";
    await mesh.apply({ set: objectsOf(pushed) });
    api.set("a", { clusterIP: "10.0.0.2" });
    await soon("a change beneath", () => addressOf("a") === "10.0.0.2");
    assert.equal([...mesh.objects.list("Service")].length, 1);
    await mesh.apply({ delete: [key] });
    assert.deepEqual(heard, ["10.0.0.1 10.9.9.9", "10.9.9.9 10.0.0.2"]);
  });
});

/** Services and their endpoints, each of which is ready or not. */
async function clusterOf(services: Record<string, string>, ready: boolean, region: string, address: string) {
  const slice = (name: string, isReady: boolean) => ({
    metadata: { name: `${name}-1`, namespace: "prod", labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: isReady }, nodeName: "node-1" }],
  });
  const node = { metadata: { name: "node-1", labels: { "topology.kubernetes.io/region": region } } };
  const named = Object.entries(services);
  const api = await StandInApi.start({
    [SERVICES]: () =>
      named.map(([name, clusterIP]) => ({ metadata: { name, namespace: "prod" }, spec: { clusterIP } })),
    [SLICES]: () => named.map(([name]) => slice(name, ready)),
    "/api/v1/nodes": () => [node],
  });
  const setReady = (name: string, isReady: boolean) => {
    const resourceVersion = api.nextVersion();
    const object = slice(name, isReady);
    api.tell(SLICES, "MODIFIED", { ...object, metadata: { ...object.metadata, resourceVersion } });
  };
  return { api, setReady };
}

describe("objects of several clusters", function () {
  this.timeout(30_000);

  it("make one service of those of one name: ours while it has endpoints, or the endpoints of all", async () => {
    const own = await clusterOf({ web: "10.0.0.1", db: "None", here: "10.0.0.2" }, true, "r", "10.1.0.1");
    const east = await clusterOf({ web: "10.5.0.1", db: "None", there: "10.5.0.3" }, true, "s", "10.6.0.1");
    const objects = new ObjectStore();
    const common = {
      objects,
      after: (milliseconds: number, task: () => void) => void setTimeout(task, milliseconds).unref(),
      onProblem: (fields: object, message: string) => assert.fail(`${message} ${JSON.stringify(fields)}`),
    };
    const sources = [
      await watchKubernetes({ ...common, config: own.api.config }),
      await watchKubernetes({ ...common, config: east.api.config, cluster: "east" }),
    ];
    try {
      await Promise.all(sources.map(({ listed }) => listed));
      const table = NameTable.of(objects, { clusterDomain: "cluster.local", ttl: 5, addressesOf: () => [] });
      objects.onChange((changes) => table.change(changes));
      const at = (name: string) =>
        [...table.entriesAt(wireOf(`${name}.prod.svc.cluster.local`), false)].flatMap((entry) =>
          contentOf(entry).records.map(({ data, place }) => `${[...Buffer.from(data, "latin1")].join(".")} ${place}`),
        );
      assert.deepEqual(at("web"), ["10.0.0.1 undefined"]);
      assert.deepEqual(at("here"), ["10.0.0.2 undefined"]);
      assert.deepEqual(at("there"), ["10.5.0.3 undefined"]);
      assert.deepEqual(at("db"), ["10.1.0.1 r/", "10.6.0.1 s/"]);
      own.setReady("web", false);
      own.setReady("db", false);
      await eventually(8000, "another cluster's", async () => at("web")[0] === "10.5.0.1 undefined");
      await eventually(8000, "another cluster's", async () => at("db").join() === "10.6.0.1 s/");
      // Where nobody has any, ours is what it is.
      east.setReady("web", false);
      await eventually(8000, "ours", async () => at("web")[0] === "10.0.0.1 undefined");
      east.setReady("web", true);
      own.setReady("web", true);
      await eventually(8000, "ours", async () => at("web")[0] === "10.0.0.1 undefined");
    } finally {
      for (const source of sources) await source.close();
      await own.api.stop();
      await east.api.stop();
    }
  });
});

const real = process.env.DNSPOLICY_TEST_KUBECONFIG;

if (real !== undefined) {
  describe("objects of a real Kubernetes API", function () {
    this.timeout(60_000);
    const namespace = `dnspolicy-${process.pid}`;

    it("are those that the API has, and follow it", async () => {
      const client = await import("@kubernetes/client-node");
      const config = new client.KubeConfig();
      config.loadFromFile(real);
      const core = config.makeApiClient(client.CoreV1Api);
      const discovery = config.makeApiClient(client.DiscoveryV1Api);
      await core.createNamespace({ body: { metadata: { name: namespace, labels: { tier: "gold" } } } });
      const source = await watchKubernetes({
        config: real,
        after: (milliseconds, task) => void setTimeout(task, milliseconds).unref(),
        onProblem: (fields, message) => assert.fail(`${message} ${JSON.stringify(fields)}`),
      });
      const soon = (what: string, holds: () => boolean) => eventually(10_000, what, () => holds());
      try {
        await source.listed;
        assert.equal(source.objects.get("Namespace", "", namespace)?.value.metadata.labels.tier, "gold");
        const body = {
          metadata: { name: "web" },
          spec: { ports: [{ name: "http", port: 80 }], selector: { app: "web" } },
        };
        const created = await core.createNamespacedService({ namespace, body });
        const address = created.spec?.clusterIP;
        assert.match(address ?? "", /^10\.96\./);
        const found = () => source.objects.get("Service", namespace, "web")?.value.spec;
        await soon("the service", () => found()?.clusterIP === address);
        assert.deepEqual(found()?.ports, [{ name: "http", port: 80, protocol: "TCP" }]);
        await discovery.createNamespacedEndpointSlice({
          namespace,
          body: {
            metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
            addressType: "IPv4",
            ports: [{ name: "http", port: 8080, protocol: "TCP" }],
            endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true }, hostname: "web-1" }],
          },
        });
        await soon("the slice", () => source.objects.get("EndpointSlice", namespace, "web-1") !== undefined);
        const pod = { metadata: { name: "p" }, spec: { containers: [{ name: "main", image: "none" }] } };
        await core.createNamespacedPod({ namespace, body: pod });
        await soon("the pod", () => source.objects.get("Pod", namespace, "p") !== undefined);
        await core.deleteNamespacedService({ namespace, name: "web" });
        await soon("the deletion", () => found() === undefined);
      } finally {
        await source.close();
        await core.deleteNamespacedPod({ namespace, name: "p", gracePeriodSeconds: 0 }).catch(() => {});
        await discovery.deleteNamespacedEndpointSlice({ namespace, name: "web-1" }).catch(() => {});
        await core.deleteNamespace({ name: namespace });
      }
    });
  });
}
