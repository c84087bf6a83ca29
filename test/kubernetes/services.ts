/**
 * Policy services of one store at a real API, with the rights that envoy/kubernetes/store gives them.
 */
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parse, parseAllDocuments, stringify } from "yaml";
import { isConflict } from "../../extproc/kubernetes/api.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { type Outcome, Program, runCommand } from "../extproc/cli/run-command.ts";
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

interface Status {
  readonly sequence: number;
  readonly hash: string;
  readonly workers: { readonly connected: number };
  readonly envoys: readonly unknown[];
  readonly mesh: { readonly virtualAddresses: { readonly used: number; readonly without: number } };
}

/** One of our resources, from its YAML. */
export function one(text: string): Written {
  const [resource] = resourcesOf(`apiVersion: dns.mesh/v1alpha1\n${text}`);
  if (resource === undefined) throw new Error(`expected a resource, got ${text}`);
  return resource;
}

export class StoreServices {
  readonly cluster: Cluster;
  readonly folder: string;
  readonly programs = new Map<string, Program>();
  readonly #flags: (name: string) => readonly string[];

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
    this.cluster = cluster;
    this.folder = folder;
    this.#flags = flags;
  }

  socket(name: string, socket: "grpc" | "admin"): string {
    return join(this.folder, `${name}-${socket}.sock`);
  }

  async start(...names: string[]): Promise<void> {
    const config = join(this.folder, "kubeconfig");
    const from = ["--store-kubernetes", config, "--kubernetes", config];
    await Promise.all(
      names.map(async (name) => {
        const sockets = ["--listen", `unix:${this.socket(name, "grpc")}`, "--admin", this.#admin(name)];
        const program = new Program(["serve", ...from, ...sockets, ...this.#flags(name)]);
        this.programs.set(name, program);
        await program.said("the policy service is up");
      }),
    );
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.programs.get(name)?.kill(signal);
  }

  /** Resolved when it is gone. */
  async end(name: string, signal: NodeJS.Signals): Promise<number | null | undefined> {
    this.signal(name, signal);
    return (await this.programs.get(name)?.end())?.code;
  }

  ask(name: string, ...args: string[]): Promise<Outcome> {
    return this.tell(name, "", ...args);
  }

  tell(name: string, stdin: string, ...args: string[]): Promise<Outcome> {
    return runCommand([...args, "--server", this.#admin(name)], { stdin });
  }

  async statusOf(name: string): Promise<Status> {
    return JSON.parse((await this.ask(name, "status", "-o", "json")).stdout) as Status;
  }

  /** How many decisions it has made. */
  async decisionsOf(name: string): Promise<number> {
    const from = { socketPath: this.socket(name, "admin"), path: "/metrics", headers: { host: "localhost" } };
    const [response] = (await once(request(from).end(), "response")) as [IncomingMessage];
    const lines = (await text(response)).matchAll(/^dns_decisions_total\{[^}]*\} (\d+)$/gm);
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Resolved when both services have the same policy under the same number. */
  async agreed(above = 0): Promise<Status> {
    let found: Status | undefined;
    await eventually(20_000, `a number above ${above} of all services`, async () => {
      const [first, ...others] = await Promise.all([...this.programs.keys()].map((name) => this.statusOf(name)));
      found = first;
      if (first === undefined || first.sequence <= above) return false;
      return others.every(({ sequence, hash }) => sequence === first.sequence && hash === first.hash);
    });
    if (found === undefined) throw new Error("expected a status");
    return found;
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

  /** For a test that has failed. */
  printLogs(): void {
    for (const [name, { log }] of this.programs) console.error(`service ${name}:\n${log}`);
  }

  async close(): Promise<void> {
    for (const program of this.programs.values()) {
      program.kill("SIGCONT");
      // Whoever leads gives that back.
      program.kill("SIGTERM");
    }
    await Promise.all([...this.programs.values()].map((program) => program.end()));
    await rm(this.folder, { recursive: true });
  }

  #admin(name: string): string {
    return `unix:${this.socket(name, "admin")}`;
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
