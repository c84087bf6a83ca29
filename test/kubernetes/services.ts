/**
 * Policy services of one store at a real API, with the rights that envoy/kubernetes/store gives them.
 */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { isConflict } from "../../extproc/kubernetes/api.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { ServicePrograms } from "../extproc/cli/service-programs.ts";
import { type Cluster, REAL_API, resourcesOf, type Written } from "./cluster.ts";

const ACCESS = join(import.meta.dirname, "../../envoy/kubernetes/store/access.yaml");
/** Of the services. */
export const NAMESPACE = "dns-policy";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface Stored {
  readonly metadata: { readonly resourceVersion: string; readonly generation: number };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** One of our resources, from its YAML. */
export function one(text: string): Written {
  const [resource] = resourcesOf(`apiVersion: dns.mesh/v1alpha1\n${text}`);
  if (resource === undefined) throw new Error(`expected a resource, got ${text}`);
  return resource;
}

export class StoreServices extends ServicePrograms {
  readonly cluster: Cluster;

  /** `flags`: more of `dnspolicy serve`, for each service. */
  static async open(cluster: Cluster, flags: (name: string) => readonly string[] = () => []): Promise<StoreServices> {
    await cluster.addNamespace(NAMESPACE);
    const folder = await mkdtemp(join(tmpdir(), "dnspolicy-store-"));
    const services = new StoreServices(cluster, folder, flags);
    // Those of services that were killed in a suite before.
    await cluster.api
      .request("DELETE", `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`)
      .catch(() => undefined);
    await writeFile(join(folder, "kubeconfig"), await services.#config());
    return services;
  }

  private constructor(cluster: Cluster, folder: string, flags: (name: string) => readonly string[]) {
    const config = join(folder, "kubeconfig");
    super(folder, (name) => ["--store-kubernetes", config, "--kubernetes", config, ...flags(name)]);
    this.cluster = cluster;
  }

  async leaderAndOther(): Promise<readonly [leader: string, other: string]> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/dns-policy-leader`;
    const { spec } = await this.cluster.api.get<{ spec: { holderIdentity: string } }>(path);
    const said = `"identity":"${spec.holderIdentity}"`;
    const names = [...this.programs.keys()];
    const leader = names.find((name) => this.programs.get(name)?.log.includes(said)) ?? "";
    return [leader, names.find((name) => name !== leader) ?? ""];
  }

  /** Resolved when the status says so of what was written last; gives the message. */
  async told(resource: Written, wanted: string, type = "Accepted"): Promise<string> {
    let found: Condition | undefined;
    await eventually(20_000, `${resource.kind}/${resource.metadata.name}: ${type} ${wanted}`, async () => {
      const { status, metadata } = await this.cluster.get<Stored>(resource);
      const condition = status?.conditions?.find((one) => one.type === type);
      found = condition?.observedGeneration === metadata.generation ? condition : undefined;
      return `${found?.status} ${found?.reason}` === wanted;
    }).catch((error: Error) => {
      throw new Error(`${error.message}, got ${JSON.stringify(found)}`);
    });
    return found?.message ?? "";
  }

  /** For the service's own account, bound as the manifest says. */
  async #config(): Promise<string> {
    const { api } = this.cluster;
    const roles = "/apis/rbac.authorization.k8s.io/v1";
    const folders: Record<string, string> = {
      ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
      ClusterRole: `${roles}/clusterroles`,
      ClusterRoleBinding: `${roles}/clusterrolebindings`,
      Role: `${roles}/namespaces/${NAMESPACE}/roles`,
      RoleBinding: `${roles}/namespaces/${NAMESPACE}/rolebindings`,
    };
    for (const document of parseAllDocuments(await readFile(ACCESS, "utf8"))) {
      const { kind, ...object } = document.toJS() as { kind: string };
      const path = folders[kind];
      if (path === undefined) continue;
      await api.request("POST", path, { kind, ...object }).catch((error: unknown) => {
        if (!isConflict(error)) throw error;
      });
    }
    const account = `${folders.ServiceAccount}/dns-policy/token`;
    const { status } = await api.request<{ status: { token: string } }>("POST", account, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {},
    });
    const config = parse(await readFile(REAL_API ?? "", "utf8"));
    config.users[0].user = { token: status.token };
    config.contexts[0].context.namespace = NAMESPACE;
    return stringify(config);
  }
}
