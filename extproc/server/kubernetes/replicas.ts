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

/** What one says of its workers, with what all others have said. */
export interface ReplicaState {
  readonly workers: number;
  /** The oldest revision that one of them has acknowledged last; 0 without workers. */
  readonly acknowledged: number;
  /** Which that is, in words. */
  readonly oldest: string;
  /** An Envoy that has rejected its clusters, and why; empty where there is none. */
  readonly rejected: string;
}

/** What one tells the others. */
export interface ReplicaReport {
  /** By their random numbers and nodes: a worker that is away here may be another's by now. */
  readonly connected: readonly string[];
  /** The oldest revision that one of those has acknowledged last; 0 without any. */
  readonly acknowledged: number;
  readonly oldest: string;
  /** They may still answer by what they have acknowledged. */
  readonly away: readonly AwayWorker[];
  readonly rejected: string;
}

interface AwayWorker {
  readonly worker: string;
  readonly acknowledged: number;
  /** In words. */
  readonly name: string;
}

export interface ReplicasOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly identity: string;
  readonly clock: Clock;
  readonly report: () => ReplicaReport;
  readonly onFailed: (error: unknown) => void;
}

/** Annotations have 256 KiB in all. Of workers beyond these, nobody knows that they have come from another. */
const MAX_CONNECTED = 3000;
const MAX_AWAY = 500;
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
  states(): readonly ReplicaState[] {
    return statesOf(this.#reports());
  }

  /** How many of all workers are this service's: 1 is all of them. */
  get part(): number {
    const [own, ...others] = this.#reports();
    const all = new Set([own, ...others].flatMap((report) => report?.connected ?? []));
    return own === undefined || own.connected.length === 0 ? 1 : own.connected.length / all.size;
  }

  /** This service's first, and then the newest. */
  #reports(): readonly ReplicaReport[] {
    const { clock, report } = this.#options;
    const now = clock.elapsed();
    const others = [...this.#others].filter(([name, { heardAt }]) => name !== this.#name && now - heardAt < SILENCE_MS);
    others.sort(([, a], [, b]) => b.heardAt - a.heardAt);
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
    const report = readReport(metadata?.annotations?.[ANNOTATION] ?? "");
    // Of another release: it is not waited for.
    if (report === undefined) this.#others.delete(name);
    else this.#others.set(name, { report, heardAt: this.#options.clock.elapsed() });
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

function readReport(text: string): ReplicaReport | undefined {
  try {
    const report = JSON.parse(text) as ReplicaReport;
    return Array.isArray(report.connected) && Array.isArray(report.away) ? report : undefined;
  } catch {
    return undefined;
  }
}

export function reportOf(workers: readonly WorkerStatus[], envoys: readonly EnvoyStatus[]): ReplicaReport {
  const byAge = [...workers].sort((a, b) => a.acknowledged - b.acknowledged);
  const connected = byAge.filter((worker) => worker.connected);
  const away = byAge.filter((worker) => !worker.connected).slice(0, MAX_AWAY);
  const [oldest] = connected;
  const rejecting = envoys.find(({ rejected }) => rejected !== "");
  return {
    connected: connected.slice(0, MAX_CONNECTED).map(keyOf),
    acknowledged: oldest?.acknowledged ?? 0,
    oldest: oldest === undefined ? "" : nameOf(oldest),
    away: away.map((worker) => ({
      worker: keyOf(worker),
      acknowledged: worker.acknowledged,
      name: nameOf(worker),
    })),
    rejected: rejecting === undefined ? "" : `Envoy ${rejecting.node} has rejected its clusters: ${rejecting.rejected}`,
  };
}

/**
 * `reports`: the newest first. A worker is of who has told of it last: another may have been killed, or be hung, and what it
 * told stays for a while.
 */
export function statesOf(reports: readonly ReplicaReport[]): readonly ReplicaState[] {
  const connected = new Set<string>();
  const present = reports.map((report) => {
    const own = report.connected.filter((worker) => !connected.has(worker));
    for (const worker of own) connected.add(worker);
    return { report, own };
  });
  return present.map(({ report, own }) => {
    const away = report.away.filter(({ worker }) => !connected.has(worker));
    const here = own.length === 0 ? [] : [{ acknowledged: report.acknowledged, name: report.oldest }];
    const [oldest] = [...here, ...away].sort((a, b) => a.acknowledged - b.acknowledged);
    return {
      workers: own.length + away.length,
      acknowledged: oldest?.acknowledged ?? 0,
      oldest: oldest?.name ?? "",
      rejected: report.rejected,
    };
  });
}

function keyOf({ worker, node }: WorkerStatus): string {
  return `${worker}/${node}`;
}

function nameOf({ worker, node }: WorkerStatus): string {
  return `worker ${worker} of ${node}`;
}
