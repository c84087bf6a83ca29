/**
 * Objects of a live Kubernetes API, each kind listed and watched. While the API cannot be reached, what is known stays.
 */
import type { KubernetesObject } from "@kubernetes/client-node";
import { KubernetesApi } from "../../kubernetes/api.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import { explainIssue } from "../../resources/explain-issue.ts";
import { FOREIGN_KINDS, wordOf } from "../../resources/foreign-kinds.ts";
import { formatPath } from "../../resources/problem.ts";
import { inCluster, nameIn, OTHER_CLUSTERS_KINDS, valueIn } from "./cluster-objects.ts";
import { keyOf, type MeshObject, type ObjectKey, toObject } from "./object.ts";
import { ObjectStore } from "./object-store.ts";
import { pack } from "./packed-object.ts";
import { readValue } from "./read-value.ts";
import type { ObjectKind } from "./schema.ts";

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

export async function watchKubernetes(options: KubernetesOptions): Promise<KubernetesSource> {
  const api = await KubernetesApi.open(options.config);
  const { objects = new ObjectStore(), cluster } = options;
  const batch = new Batch(objects, options.after);
  const resources = RESOURCES.filter(({ kind }) => cluster === undefined || OTHER_CLUSTERS_KINDS.includes(kind));
  const watches = resources.map((resource) => new Taken(resource, objects, batch, options).watch(api));
  for (const watch of watches) watch.start();
  const listed = Promise.all(watches.map((watch) => watch.listed)).then(() => batch.flush());
  const close = async (): Promise<void> => {
    for (const watch of watches) watch.close();
  };
  return { objects, listed, close };
}

/** Takes over what one kind's watch tells. */
class Taken {
  readonly #resource: Resource;
  readonly #objects: ObjectStore;
  readonly #batch: Batch;
  readonly #options: KubernetesOptions;

  constructor(resource: Resource, objects: ObjectStore, batch: Batch, options: KubernetesOptions) {
    this.#resource = resource;
    this.#objects = objects;
    this.#batch = batch;
    this.#options = options;
  }

  watch(api: KubernetesApi): ListWatch<ObjectKey> {
    const { path, kind, group } = this.#resource;
    const { after, onProblem, cluster } = this.#options;
    return new ListWatch(api, {
      path,
      optional: group !== undefined,
      after,
      keyOf: (object) => keyOf(this.#keyOf(object)),
      known: () => this.#known(),
      onSet: (object) => this.#set(object),
      onDelete: (object) => this.#delete(object),
      onGone: (key) => this.#batch.add({ delete: key }),
      onFailed: (error) =>
        onProblem({ kind, cluster, err: error }, "the Kubernetes API cannot be watched: what is known stays"),
    });
  }

  /** What this watch has told of. */
  #known(): ReadonlyMap<string, ObjectKey> {
    this.#batch.flush();
    const known = new Map<string, ObjectKey>();
    for (const object of this.#objects.list(this.#resource.kind)) {
      if (inCluster(object.name).cluster === (this.#options.cluster ?? "")) known.set(keyOf(object), object);
    }
    return known;
  }

  #set(value: KubernetesObject): void {
    const { kind } = this.#resource;
    // Objects of a list do not say what they are.
    const [apiVersion] = FOREIGN_KINDS[kind].apiVersions;
    const result = readValue(kind, { ...value, apiVersion, kind: wordOf(kind) });
    if (result.success) {
      // At once: what was read would live until the whole page was.
      this.#batch.add({ set: pack(toObject(kind, valueIn(result.data, this.#options.cluster))) });
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
