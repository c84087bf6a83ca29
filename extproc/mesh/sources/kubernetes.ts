/**
 * Objects of a live Kubernetes API: listed once, and watched from then on. Where the API forgets what it has told (410
 * Gone) or cannot be reached, they are listed anew or asked for again, and what is known stays until then.
 */
import type { RequestOptions } from "node:https";
import type { Informer, KubeConfig, KubernetesListObject, KubernetesObject } from "@kubernetes/client-node";
import { explainIssue } from "../../resources/explain-issue.ts";
import { FOREIGN_KINDS } from "../../resources/foreign-kinds.ts";
import { formatPath } from "../../resources/problem.ts";
import { keyOf, type MeshObject, toObject } from "./object.ts";
import { ObjectStore } from "./object-store.ts";
import { OBJECT_SCHEMAS, type ObjectKind } from "./schema.ts";

export interface KubernetesOptions {
  /** A kubeconfig's path; or `in-cluster`, for a pod's service account. */
  readonly config: string;
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
  const objects = new ObjectStore();
  const batch = new Batch(objects, options.after);
  const watches = RESOURCES.map(
    (resource) => new Watch(resource, batch, options, makeInformer(client, config, resource)),
  );
  for (const watch of watches) watch.start();
  const listed = Promise.all(watches.map((watch) => watch.listed)).then(() => batch.flush());
  const close = async (): Promise<void> => {
    await Promise.all(watches.map((watch) => watch.close()));
  };
  return { objects, listed, close };
}

type MakeInformer = (onListed: () => void) => Informer<KubernetesObject>;

/** Lists as JSON, the way that watches tell objects: the client's own types would make dates of times. */
function makeInformer(
  client: typeof import("@kubernetes/client-node"),
  config: KubeConfig,
  { path }: Resource,
): MakeInformer {
  return (onListed) => {
    const list = async (): Promise<KubernetesListObject<KubernetesObject>> => {
      const body = await getJson(config, path);
      // The informer takes the items over as soon as it has them.
      setImmediate(onListed);
      return body as KubernetesListObject<KubernetesObject>;
    };
    return client.makeInformer(config, path, list);
  };
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

/** Watches one kind, for ever. */
class Watch {
  readonly #resource: Resource;
  readonly #batch: Batch;
  readonly #options: KubernetesOptions;
  readonly #informer: Informer<KubernetesObject>;
  readonly listed: Promise<void>;
  #markListed: () => void = () => {};
  #closed = false;
  #failing = false;

  constructor(resource: Resource, batch: Batch, options: KubernetesOptions, make: MakeInformer) {
    this.#resource = resource;
    this.#batch = batch;
    this.#options = options;
    this.listed = new Promise((resolve) => {
      this.#markListed = resolve;
    });
    this.#informer = make(() => {
      this.#failing = false;
      this.#markListed();
    });
    this.#informer.on("add", (object) => this.#set(object));
    this.#informer.on("update", (object) => this.#set(object));
    this.#informer.on("delete", (object) => this.#delete(object));
    this.#informer.on("error", (error: unknown) => this.#failed(error));
  }

  start(): void {
    this.#informer.start().catch((error: unknown) => this.#failed(error));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#informer.stop();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const { kind, group } = this.#resource;
    const unknown = group !== undefined && error instanceof StatusError && error.status === 404;
    if (unknown) this.#markListed();
    else if (!this.#failing) {
      this.#failing = true;
      this.#options.onProblem({ kind, err: error }, "the Kubernetes API cannot be watched: what is known stays");
    }
    this.#options.after(unknown ? UNKNOWN_RETRY_MS : RETRY_MS, () => {
      if (!this.#closed) this.start();
    });
  }

  #set(value: KubernetesObject): void {
    const { kind } = this.#resource;
    // Objects of a list do not say what they are.
    const [apiVersion] = FOREIGN_KINDS[kind].apiVersions;
    const result = OBJECT_SCHEMAS[kind].safeParse({ ...value, apiVersion, kind });
    if (result.success) {
      this.#batch.add({ set: toObject(kind, result.data) });
      return;
    }
    const [first] = result.error.issues.flatMap((issue) => explainIssue(issue, value, () => []));
    const name = `${value.metadata?.namespace ?? ""}/${value.metadata?.name}`;
    const problem = first === undefined ? "" : `${formatPath(first.path)}: ${first.message}`;
    this.#options.onProblem({ kind, name, problem }, "an object of the Kubernetes API is passed by");
    this.#delete(value);
  }

  #delete({ metadata }: KubernetesObject): void {
    const { kind } = this.#resource;
    const namespace = FOREIGN_KINDS[kind].namespaced ? (metadata?.namespace ?? "default") : "";
    this.#batch.add({ delete: { kind, namespace, name: metadata?.name ?? "" } });
  }
}

type Event = { readonly set: MeshObject } | { readonly delete: Parameters<typeof keyOf>[0] };

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
