/**
 * The services of one store, each with what its own workers and Envoys obey: in a Lease of each, which is not there for
 * long when its service is gone. So the leader knows whether a policy is programmed everywhere.
 */
import type { KubernetesObject, V1Lease } from "@kubernetes/client-node";
import { isNotFound, type KubernetesApi } from "../../kubernetes/api.ts";
import { ListWatch } from "../../kubernetes/list-watch.ts";
import type { Clock } from "../clock.ts";
import type { EnvoyStatus } from "../discovery/envoy-stream.ts";
import type { WorkerStatus } from "../sync/registry.ts";

export interface ReplicaReport {
  readonly workers: number;
  /** The oldest revision that one of them has acknowledged last; 0 without workers. */
  readonly acknowledged: number;
  /** Which that is, in words. */
  readonly oldest: string;
  /** An Envoy that has rejected its clusters, and why; empty where there is none. */
  readonly rejected: string;
}

export interface ReplicasOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly identity: string;
  readonly clock: Clock;
  readonly report: () => ReplicaReport;
  readonly onFailed: (error: unknown) => void;
}

const LABEL = "dns.mesh/replica";
const ANNOTATION = "dns.mesh/report";
/** What is new is told so often at most, */
const REPORT_MS = 1000;
/** and what is not, so often. */
const RENEW_MS = 10_000;
/** A replica that says nothing for so long is none. */
const SILENCE_MS = 30_000;

export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #others = new Map<string, { readonly report: ReplicaReport; readonly heardAt: number }>();
  readonly #watch: ListWatch<string>;
  #told = { text: "", at: 0 };
  #telling: Promise<void> = Promise.resolve();
  #isIdle = true;
  #failing = false;
  readonly #stop: () => void;

  constructor(options: ReplicasOptions) {
    const { api, clock, onFailed } = options;
    this.#options = options;
    const nameOf = ({ metadata }: KubernetesObject) => metadata?.name ?? "";
    this.#watch = new ListWatch(api, {
      path: this.#folder,
      selector: { labelSelector: LABEL },
      after: (milliseconds, task) => void clock.after(milliseconds, task),
      keyOf: nameOf,
      onSet: (object) => this.#hear(nameOf(object), object as V1Lease),
      onDelete: (object) => void this.#others.delete(nameOf(object)),
      known: () => new Map([...this.#others.keys()].map((name) => [name, name])),
      onGone: (name) => void this.#others.delete(name),
      onFailed,
    });
    this.#watch.start();
    this.#stop = clock.every(REPORT_MS, () => this.#report());
  }

  /** Of all that are there, this one among them. */
  reports(): readonly ReplicaReport[] {
    const { clock, report } = this.#options;
    const now = clock.elapsed();
    const others = [...this.#others].filter(([name, { heardAt }]) => name !== this.#name && now - heardAt < SILENCE_MS);
    return [report(), ...others.map(([, one]) => one.report)];
  }

  /** The leader's work: Leases of services that are gone. */
  async removeSilent(): Promise<void> {
    const { api, clock } = this.#options;
    const now = clock.elapsed();
    for (const [name, { heardAt }] of this.#others) {
      if (now - heardAt < 2 * SILENCE_MS) continue;
      this.#others.delete(name);
      await api.request("DELETE", `${this.#folder}/${name}`).catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#stop();
    this.#watch.close();
    await this.#telling;
    await this.#options.api.request("DELETE", `${this.#folder}/${this.#name}`).catch(() => {});
  }

  get #name(): string {
    return `dns-policy-replica-${this.#options.identity}`;
  }

  get #folder(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  #hear(name: string, { metadata }: V1Lease): void {
    try {
      const report = JSON.parse(metadata?.annotations?.[ANNOTATION] ?? "") as ReplicaReport;
      this.#others.set(name, { report, heardAt: this.#options.clock.elapsed() });
    } catch {
      // Of another release: it is not waited for.
      this.#others.delete(name);
    }
  }

  #report(): void {
    const { clock, report, onFailed } = this.#options;
    const text = JSON.stringify(report());
    const now = clock.elapsed();
    if (!this.#isIdle || (text === this.#told.text && now - this.#told.at < RENEW_MS)) return;
    this.#isIdle = false;
    this.#telling = this.#tell(text)
      .then(
        () => {
          this.#told = { text, at: now };
          this.#failing = false;
        },
        (error: unknown) => {
          if (!this.#failing) onFailed(error);
          this.#failing = true;
        },
      )
      .finally(() => {
        this.#isIdle = true;
      });
  }

  async #tell(text: string): Promise<void> {
    const { api, identity, clock } = this.#options;
    const metadata = { name: this.#name, labels: { [LABEL]: "" }, annotations: { [ANNOTATION]: text } };
    const renewTime = new Date(clock.now()).toISOString().replace("Z", "000Z");
    const body = { metadata, spec: { holderIdentity: identity, leaseDurationSeconds: SILENCE_MS / 1000, renewTime } };
    try {
      await api.request("PATCH", `${this.#folder}/${this.#name}`, body);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await api.request("POST", this.#folder, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...body });
    }
  }
}

export function reportOf(workers: readonly WorkerStatus[], envoys: readonly EnvoyStatus[]): ReplicaReport {
  const acknowledged = workers.reduce((least, worker) => Math.min(least, worker.acknowledged), Number.MAX_SAFE_INTEGER);
  const oldest = workers.find((worker) => worker.acknowledged === acknowledged);
  const rejecting = envoys.find(({ rejected }) => rejected !== "");
  return {
    workers: workers.length,
    acknowledged: oldest === undefined ? 0 : acknowledged,
    oldest: oldest === undefined ? "" : `worker ${oldest.worker} of ${oldest.node}`,
    rejected: rejecting === undefined ? "" : `Envoy ${rejecting.node} has rejected its clusters: ${rejecting.rejected}`,
  };
}
