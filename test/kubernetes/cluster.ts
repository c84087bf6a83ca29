/**
 * A real Kubernetes API with our kinds, for suites that run where DNSPOLICY_TEST_KUBECONFIG names its kubeconfig
 * (test/kubernetes/api.sh makes one).
 */
import { parseAllDocuments } from "yaml";
import { isConflict, KubernetesApi } from "../../extproc/kubernetes/api.ts";
import { customResources, isNamespaced, resourcePath } from "../../extproc/resources/custom-resource.ts";
import type { Kind } from "../../extproc/resources/schema.ts";
import { API_VERSION } from "../../extproc/resources/schema-parts.ts";
import { eventually } from "../e2e/clients/deadline.ts";

export const REAL_API = process.env.DNSPOLICY_TEST_KUBECONFIG;

export interface Written {
  readonly kind: Kind;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Where the API has ServiceEntries. */
export const ENTRIES_OF = (namespace: string) => `/apis/networking.istio.io/v1/namespaces/${namespace}/serviceentries`;

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** As Istio has it, as far as it matters here. */
const SERVICE_ENTRIES = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "serviceentries.networking.istio.io" },
  spec: {
    group: "networking.istio.io",
    scope: "Namespaced",
    names: { kind: "ServiceEntry", plural: "serviceentries" },
    versions: [
      {
        ...{ name: "v1", served: true, storage: true, subresources: { status: {} } },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

interface Definition {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
}

export class Cluster {
  readonly api: KubernetesApi;

  /** Has our kinds when this is resolved. */
  static async open(): Promise<Cluster> {
    if (REAL_API === undefined)
      throw new Error("expected DNSPOLICY_TEST_KUBECONFIG, which test/kubernetes/api.sh makes");
    const cluster = new Cluster(await KubernetesApi.open(REAL_API));
    await cluster.#define();
    return cluster;
  }

  private constructor(api: KubernetesApi) {
    this.api = api;
  }

  async #define(): Promise<void> {
    for (const definition of customResources()) {
      await this.api.request("POST", DEFINITIONS, definition).catch((error: unknown) => {
        if (!isConflict(error)) throw error;
      });
    }
    await eventually(20_000, "our kinds", async () => {
      const { items } = await this.api.get<{ items: readonly Definition[] }>(DEFINITIONS);
      const states = items.map(({ status }) => new Map(status?.conditions?.map((one) => [one.type, one])));
      return states.every(
        (state) => state.get("Established")?.status === "True" && state.get("NonStructuralSchema")?.status !== "True",
      );
    });
  }

  /** The kind of Istio. */
  async addServiceEntries(): Promise<void> {
    await this.api.request("POST", DEFINITIONS, SERVICE_ENTRIES).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
    await eventually(10_000, "ServiceEntries", async () => {
      await this.api.get(ENTRIES_OF("default"));
      return true;
    });
  }

  async addNamespace(name: string): Promise<void> {
    await this.api.request("POST", "/api/v1/namespaces", { metadata: { name } }).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
  }

  /** As kubectl does it: fields that the kind does not have are refused. */
  create(resource: Written, dryRun = false): Promise<unknown> {
    const query = dryRun ? "&dryRun=All" : "";
    return this.api.request("POST", `${folderOf(resource)}?fieldValidation=Strict${query}`, resource);
  }

  patch(resource: Written, patch: object): Promise<unknown> {
    return this.api.request("PATCH", pathOf(resource), patch);
  }

  get<T>(resource: Written): Promise<T> {
    return this.api.get<T>(pathOf(resource));
  }

  delete(resource: Written): Promise<unknown> {
    return this.api.request("DELETE", pathOf(resource));
  }
}

/** Those of our kinds, in the order in which they are written. */
export function resourcesOf(yaml: string): Written[] {
  const values = parseAllDocuments(yaml).map(
    (document) => document.toJS() as (Written & { apiVersion: string }) | null,
  );
  return values.filter((value) => value !== null && value.apiVersion === API_VERSION) as Written[];
}

function folderOf({ kind, metadata }: Written): string {
  const path = resourcePath(kind);
  if (!isNamespaced(kind)) return path;
  return path.replace(/\/(\w+)$/, `/namespaces/${metadata.namespace ?? "default"}/$1`);
}

function pathOf(resource: Written): string {
  return `${folderOf(resource)}/${resource.metadata.name}`;
}
