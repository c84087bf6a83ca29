/**
 * Objects of a live Kubernetes API: listed once, and watched from then on. Where the API forgets what it has told (410
 * Gone) or cannot be reached, they are listed anew or asked for again, and what is known stays until then.
 */
import type { RequestOptions } from "node:https";
import type { KubeConfig, KubernetesObject, Watch as WatchClient } from "@kubernetes/client-node";
import { explainIssue } from "../../resources/explain-issue.ts";
import { FOREIGN_KINDS, wordOf } from "../../resources/foreign-kinds.ts";
import { formatPath } from "../../resources/problem.ts";
import { inCluster, nameIn, OTHER_CLUSTERS_KINDS, valueIn } from "./cluster-objects.ts";
import { keyOf, type MeshObject, type ObjectKey, toObject } from "./object.ts";
import { ObjectStore } from "./object-store.ts";
import { OBJECT_SCHEMAS, type ObjectKind } from "./schema.ts";

export interface KubernetesOptions {
  /** A kubeconfig's path; or `in-cluster`, for a pod's service account. */
  readonly config: string;
  /** Of a cluster that is not our own: its name. */
  readonly cluster?: string;
  /** Where objects go; by default nowhere else. */
  readonly objects?: ObjectStore;
  readonly after: (milliseconds: number, task: () => void) => void;
  /** What is not as it should be, for people: an API that cannot be reached, an object that is no such object. */
  readonly onProblem: (fields: object, message: string) => void;
}

export interface KubernetesSource {
  readonly objects: ObjectStore;
  /** Resolved when every kind that the API knows has been listed. */
  readonly listed: Promise<void>;
  close(): Promise<void>;
}

/** Events of so many milliseconds are taken over at once. */
const BATCH_MS = 5;
const RETRY_MS = 1000;
/** Before a watch that the API has ended is opened again. */
const REOPEN_MS = 20;
/** Objects a page, as Kubernetes' own clients ask for them. */
const PAGE = 500;
/** The status of a version that the API has forgotten. */
const GONE = 410;
/** A kind that the API does not know: its CRD may come later. */
const UNKNOWN_RETRY_MS = 30_000;

interface Resource {
  readonly kind: ObjectKind;
  readonly path: string;
  /** Of an extension, which need not be there. */
  readonly group?: string;
}

const PLURALS: Readonly<Record<ObjectKind, string>> = {
  EndpointSlice: "endpointslices",
  Namespace: "namespaces",
  Node: "nodes",
  Pod: "pods",
  Service: "services",
  ServiceEntry: "serviceentries",
  WorkloadEntry: "workloadentries",
  Sidecar: "sidecars",
  IstioGateway: "gateways",
  Gateway: "gateways",
  HTTPRoute: "httproutes",
  ServiceImport: "serviceimports",
  DNSEndpoint: "dnsendpoints",
};

export const RESOURCES: readonly Resource[] = Object.entries(FOREIGN_KINDS).map(([kind, { apiVersions }]) => {
  const [apiVersion] = apiVersions;
  const plural = PLURALS[kind as ObjectKind];
  if (apiVersion === "v1") return { kind: kind as ObjectKind, path: `/api/v1/${plural}` };
  return { kind: kind as ObjectKind, path: `/apis/${apiVersion}/${plural}`, group: apiVersion.split("/")[0] ?? "" };
});

/** Loads the client only here: a service without Kubernetes has no need of it. */
export async function watchKubernetes(options: KubernetesOptions): Promise<KubernetesSource> {
  const client = await import("@kubernetes/client-node");
  const config = new client.KubeConfig();
  if (options.config === "in-cluster") config.loadFromCluster();
  else config.loadFromFile(options.config);
  const { objects = new ObjectStore(), cluster } = options;
  const batch = new Batch(objects, options.after);
  const api = { config, client: new client.Watch(config) };
  const resources = RESOURCES.filter(({ kind }) => cluster === undefined || OTHER_CLUSTERS_KINDS.includes(kind));
  const watches = resources.map((resource) => new Watch(resource, api, objects, batch, options));
  for (const watch of watches) watch.start();
  const listed = Promise.all(watches.map((watch) => watch.listed)).then(() => batch.flush());
  const close = async (): Promise<void> => {
    for (const watch of watches) watch.close();
  };
  return { objects, listed, close };
}

class StatusError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function getJson(config: KubeConfig, path: string): Promise<unknown> {
  const url = new URL(`${config.getCurrentCluster()?.server.replace(/\/$/, "")}${path}`);
  const secured: RequestOptions = { headers: { accept: "application/json" } };
  await config.applyToHTTPSOptions(secured);
  // `kubectl proxy`, for one, speaks HTTP: to that, an agent for TLS is none.
  const { agent, ...plain } = secured;
  const [{ request }, options] =
    url.protocol === "http:" ? [await import("node:http"), plain] : [await import("node:https"), secured];
  return new Promise((resolve, reject) => {
    const call = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const { statusCode = 0 } = response;
        if (statusCode !== 200) reject(new StatusError(statusCode, `status ${statusCode}: ${text.slice(0, 200)}`));
        else resolve(JSON.parse(text));
      });
    });
    call.on("error", reject);
    call.end();
  });
}

interface Api {
  readonly config: KubeConfig;
  readonly client: WatchClient;
}

interface ListPage {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubernetesObject[];
}

/** Watches one kind, for ever. What it lists is taken over page by page: no list is ever whole in memory. */
class Watch {
  readonly #resource: Resource;
  readonly #api: Api;
  readonly #objects: ObjectStore;
  readonly #batch: Batch;
  readonly #options: KubernetesOptions;
  readonly listed: Promise<void>;
  #markListed: () => void = () => {};
  #closed = false;
  #failing = false;
  /** Ends the watch that is open. */
  #abort: () => void = () => {};

  constructor(resource: Resource, api: Api, objects: ObjectStore, batch: Batch, options: KubernetesOptions) {
    this.#resource = resource;
    this.#api = api;
    this.#objects = objects;
    this.#batch = batch;
    this.#options = options;
    this.listed = new Promise((resolve) => {
      this.#markListed = resolve;
    });
  }

  start(): void {
    void this.#run();
  }

  close(): void {
    this.#closed = true;
    this.#abort();
  }

  async #run(): Promise<void> {
    let version = "";
    while (!this.#closed) {
      try {
        if (version === "") version = await this.#list();
        this.#failing = false;
        this.#markListed();
        version = await this.#follow(version);
        await this.#pause(REOPEN_MS);
      } catch (error) {
        await this.#pause(this.#failed(error));
      }
    }
  }

  /** Everything there is; gives the version that it was of. */
  async #list(): Promise<string> {
    this.#batch.flush();
    const gone = new Map([...this.#known()].map((object) => [keyOf(object), object]));
    let version = "";
    let next: Promise<ListPage> | undefined = this.#page("");
    while (next !== undefined && !this.#closed) {
      const { metadata, items = [] }: ListPage = await next;
      version = metadata?.resourceVersion ?? "";
      // The API makes the next page while this one is taken over.
      next = metadata?.continue ? this.#page(`&continue=${encodeURIComponent(metadata.continue)}`) : undefined;
      // Whoever awaits it hears of its failure; where that is nobody any more, nobody need.
      next?.catch(() => {});
      for (const object of items) {
        this.#set(object);
        if (gone.size > 0) gone.delete(keyOf(this.#keyOf(object)));
      }
    }
    if (this.#closed) return version;
    for (const object of gone.values()) this.#batch.add({ delete: object });
    return version;
  }

  /** What this watch has told of. */
  *#known(): Generator<MeshObject> {
    for (const object of this.#objects.list(this.#resource.kind)) {
      if (inCluster(object.name).cluster === (this.#options.cluster ?? "")) yield object;
    }
  }

  #page(more: string): Promise<ListPage> {
    return getJson(this.#api.config, `${this.#resource.path}?limit=${PAGE}${more}`) as Promise<ListPage>;
  }

  /** What happens from a version on, until the API ends it; gives the last version, or none where that is forgotten. */
  #follow(from: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let version = from;
      const take = (type: string, object: KubernetesObject & { readonly code?: number }) => {
        if (type === "ERROR") {
          if (object.code === GONE) version = "";
          return;
        }
        if (type === "DELETED") this.#delete(object);
        else if (type !== "BOOKMARK") this.#set(object);
        version = object.metadata?.resourceVersion ?? version;
      };
      const done = (error: (Error & { readonly statusCode?: number }) | null) => {
        if (error?.statusCode === GONE) resolve("");
        else if (error === null || version !== from || this.#closed) resolve(version);
        else reject(error);
      };
      const query = { resourceVersion: from, allowWatchBookmarks: true };
      this.#api.client.watch(this.#resource.path, query, take, done).then((controller) => {
        this.#abort = () => controller.abort();
        if (this.#closed) this.#abort();
      }, reject);
    });
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.after(milliseconds, resolve));
  }

  /** After how long to try again. */
  #failed(error: unknown): number {
    const { kind, group } = this.#resource;
    if (group !== undefined && error instanceof StatusError && error.status === 404) {
      this.#markListed();
      return UNKNOWN_RETRY_MS;
    }
    if (!this.#failing && !this.#closed) {
      this.#failing = true;
      const { cluster, onProblem } = this.#options;
      onProblem({ kind, cluster, err: error }, "the Kubernetes API cannot be watched: what is known stays");
    }
    return RETRY_MS;
  }

  #set(value: KubernetesObject): void {
    const { kind } = this.#resource;
    // Objects of a list do not say what they are.
    const [apiVersion] = FOREIGN_KINDS[kind].apiVersions;
    const result = OBJECT_SCHEMAS[kind].safeParse({ ...value, apiVersion, kind: wordOf(kind) });
    if (result.success) {
      this.#batch.add({ set: toObject(kind, valueIn(result.data, this.#options.cluster)) });
      return;
    }
    const [first] = result.error.issues.flatMap((issue) => explainIssue(issue, value, () => []));
    const name = `${value.metadata?.namespace ?? ""}/${value.metadata?.name}`;
    const problem = first === undefined ? "" : `${formatPath(first.path)}: ${first.message}`;
    this.#options.onProblem({ kind, name, problem }, "an object of the Kubernetes API is passed by");
    this.#delete(value);
  }

  #delete(object: KubernetesObject): void {
    this.#batch.add({ delete: this.#keyOf(object) });
  }

  #keyOf({ metadata }: KubernetesObject): ObjectKey {
    const { kind } = this.#resource;
    const namespace = FOREIGN_KINDS[kind].namespaced ? (metadata?.namespace ?? "default") : "";
    return { kind, namespace, name: nameIn(metadata?.name ?? "", this.#options.cluster) };
  }
}

type Event = { readonly set: MeshObject } | { readonly delete: ObjectKey };

/** Gathers events: of one object, the last counts. */
class Batch {
  readonly #objects: ObjectStore;
  readonly #after: KubernetesOptions["after"];
  #events = new Map<string, Event>();
  #due = false;

  constructor(objects: ObjectStore, after: KubernetesOptions["after"]) {
    this.#objects = objects;
    this.#after = after;
  }

  add(event: Event): void {
    this.#events.set(keyOf("set" in event ? event.set : event.delete), event);
    if (this.#due) return;
    this.#due = true;
    this.#after(BATCH_MS, () => this.flush());
  }

  flush(): void {
    this.#due = false;
    const events = [...this.#events.values()];
    this.#events = new Map();
    this.#objects.apply({
      set: events.flatMap((event) => ("set" in event ? [event.set] : [])),
      delete: events.flatMap((event) => ("delete" in event ? [event.delete] : [])),
    });
  }
}
