/**
 * Objects of a live API: of a stand-in that does what a real one seldom does, and of a real one where there is one
 * (DNSPOLICY_TEST_KUBECONFIG names its kubeconfig; its objects of this test are removed).
 */
import { strict as assert } from "node:assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KubernetesSource, watchKubernetes } from "../../../extproc/mesh/sources/kubernetes.ts";
import { MeshSource } from "../../../extproc/mesh/sources/mesh-source.ts";
import { eventually } from "../../e2e/clients/deadline.ts";
import { objectsOf } from "./objects.ts";

interface ApiObject {
  metadata: { name: string; namespace?: string; resourceVersion?: string };
  [field: string]: unknown;
}

/** Services alone; of all other kinds there are none, and Istio's are not known. */
class StandIn {
  readonly #objects = new Map<string, ApiObject>();
  readonly #events: { version: number; type: string; object: ApiObject }[] = [];
  readonly #watches = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #version = 100;
  /** Events before this are forgotten. */
  #oldest = 0;
  lists = 0;
  /** Answers of the next requests, instead of what is right. */
  failures: number[] = [];
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<StandIn> {
    const standIn = new StandIn(await mkdtemp(join(tmpdir(), "dnspolicy-kube-")));
    await new Promise<void>((resolve) => standIn.#server.listen(0, "127.0.0.1", resolve));
    const { port } = standIn.#server.address() as AddressInfo;
    await writeFile(
      standIn.config,
      `apiVersion: v1
kind: Config
clusters: [{ name: a, cluster: { server: "http://127.0.0.1:${port}", insecure-skip-tls-verify: true } }]
users: [{ name: a, user: { token: secret } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
current-context: a
`,
    );
    return standIn;
  }

  get config(): string {
    return join(this.folder, "kubeconfig");
  }

  set(name: string, spec: object): void {
    const known = this.#objects.has(name);
    const object = { metadata: { name, namespace: "prod", resourceVersion: String(++this.#version) }, spec };
    this.#objects.set(name, object);
    this.#tell(known ? "MODIFIED" : "ADDED", object);
  }

  /** `quietly`: nobody that watches hears of it. */
  delete(name: string, quietly = false): void {
    const object = this.#objects.get(name);
    this.#objects.delete(name);
    this.#version++;
    if (object && !quietly)
      this.#tell("DELETED", { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } });
  }

  dropWatches(): void {
    for (const watch of this.#watches) watch.destroy();
    this.#watches.clear();
  }

  /** Every watch is told that its version is gone, and every new one of an old version, too. */
  forget(): void {
    this.#oldest = ++this.#version;
    for (const watch of this.#watches) watch.end(gone());
    this.#watches.clear();
  }

  async stop(): Promise<void> {
    this.dropWatches();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.folder, { recursive: true });
  }

  #tell(type: string, object: ApiObject): void {
    this.#events.push({ version: this.#version, type, object });
    for (const watch of this.#watches) watch.write(line(type, object));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://api");
    const failure = this.failures.shift();
    if (failure !== undefined) {
      response.writeHead(failure).end("{}");
      return;
    }
    if (url.pathname.includes("istio")) {
      response.writeHead(404).end('{"kind":"Status","code":404}');
      return;
    }
    const isServices = url.pathname === "/api/v1/services";
    if (url.searchParams.get("watch") === null && !url.searchParams.has("resourceVersion")) {
      if (isServices) this.lists++;
      const items = isServices ? [...this.#objects.values()] : [];
      const list = { kind: "ServiceList", metadata: { resourceVersion: String(this.#version) }, items };
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(list));
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (!isServices) return;
    const since = Number(url.searchParams.get("resourceVersion"));
    if (since < this.#oldest) {
      response.end(gone());
      return;
    }
    for (const { version, type, object } of this.#events) if (version > since) response.write(line(type, object));
    this.#watches.add(response);
    response.on("close", () => this.#watches.delete(response));
  }
}

function line(type: string, object: object): string {
  return `${JSON.stringify({ type, object: { apiVersion: "v1", kind: "Service", ...object } })}\n`;
}

function gone(): string {
  return `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", metadata: {} } })}\n`;
}

describe("objects of a live Kubernetes API", function () {
  this.timeout(30_000);
  let api: StandIn;
  let source: KubernetesSource;
  let problems: string[];
  beforeEach(async () => {
    api = await StandIn.start();
    problems = [];
  });
  afterEach(async () => {
    await source.close();
    await api.stop();
  });

  const watch = async () => {
    source = await watchKubernetes({
      config: api.config,
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
      api.dropWatches();
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
    api.forget();
    await soon("the deletion that was missed", () => addressOf("b") === undefined);
    assert.deepEqual(heard, ["b gone"]);
    assert.equal(addressOf("a"), "10.0.0.1");
    api.set("c", { clusterIP: "10.0.0.3" });
    await soon("what comes afterwards", () => addressOf("c") === "10.0.0.3");
  });

  it("stay while the API fails, and nothing counts as listed before it was", async () => {
    api.set("a", { clusterIP: "10.0.0.1" });
    api.failures = Array.from({ length: 7 }, () => 503);
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
    const mesh = MeshSource.inMemory({ live: source });
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
