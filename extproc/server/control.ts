/**
 * What may be asked of the running service, by whatever way: change the policy, look at it, look who obeys it.
 */
import type { Change } from "../compile/change.ts";
import type { DecisionRequest } from "../decide/request.ts";
import { describeVerdict, type Explanation } from "../explain/explanation.ts";
import type { PolicySource, SourceStatus } from "../store/policy-source.ts";
import type { Accepted, ApplyOptions, ApplyResult, PolicyStore, Rejected, VersionContent } from "../store/store.ts";
import type { Version } from "../store/version.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Clock } from "./clock.ts";
import type { ClusterService } from "./clusters/cluster-service.ts";
import type { EnvoyStatus } from "./clusters/envoy-stream.ts";
import type { Decide } from "./decisions/processor.ts";
import type { Health } from "./health.ts";
import { type ObservedResource, observe } from "./resource-status.ts";
import type { Rollout } from "./rollout.ts";
import type { WorkerRegistry, WorkerStatus } from "./sync/registry.ts";
import type { SyncService } from "./sync/sync-service.ts";

export type ApplyOutcome =
  | { readonly kind: "read_only"; readonly message: string }
  | (Omit<Rejected, "ok" | "reason"> & { readonly kind: Rejected["reason"] })
  | (Applied & { readonly kind: "applied" });

export interface Applied extends Omit<Accepted, "ok" | "snapshot"> {
  readonly dryRun: boolean;
  /** Workers that obey it. */
  readonly acknowledged: number;
  /** Workers that may still answer by an older policy. */
  readonly behind: readonly WorkerStatus[];
  readonly envoys: readonly EnvoyStatus[];
}

export interface ServiceStatus extends SourceStatus {
  readonly workers: {
    readonly connected: number;
    readonly behind: readonly WorkerStatus[];
    readonly all: readonly WorkerStatus[];
  };
  readonly envoys: readonly EnvoyStatus[];
  readonly resources: readonly ObservedResource[];
}

export interface ControlDependencies {
  readonly source: PolicySource | PolicyStore;
  readonly decide: Decide;
  readonly clock: Clock;
  readonly rollout: Rollout;
  readonly registry: WorkerRegistry;
  readonly sync: SyncService;
  readonly clusters: ClusterService;
  readonly health: Health;
  readonly metrics: Metrics;
}

export class Control {
  readonly #dependencies: ControlDependencies;

  constructor(dependencies: ControlDependencies) {
    this.#dependencies = dependencies;
  }

  /** Milliseconds of the wall clock. */
  get now(): number {
    return this.#dependencies.clock.now();
  }

  get ready(): boolean {
    return this.#dependencies.health.serving;
  }

  /** Resolved when every connected worker obeys it, or the time for that is up. */
  apply(change: Change, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    return this.#change((store) => store.apply(change, options), options);
  }

  /** As apply(), of what an old version said. */
  rollback(sequence: number, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    return this.#change((store) => store.rollback(sequence, options), options);
  }

  /** Of the policy as it is stored, which workers may be about to hear of; 0 is none. */
  get stored(): number {
    return this.#dependencies.source.current()?.sequence ?? 0;
  }

  /** What is stored, and what became of it. */
  resources(): readonly ObservedResource[] {
    const { source, registry, clusters } = this.#dependencies;
    const times = new Map((this.versions() ?? []).map(({ sequence, time }) => [sequence, time]));
    return observe(source.resources(), {
      sequence: this.sequence,
      workers: registry.list(),
      envoys: clusters.envoys,
      timeOf: (sequence) => times.get(sequence) || undefined,
    });
  }

  /** Newest first; undefined where somebody else keeps them. */
  versions(): readonly Version[] | undefined {
    const { source } = this.#dependencies;
    return isStore(source) ? source.versions() : undefined;
  }

  async version(sequence: number): Promise<VersionContent | undefined> {
    const { source } = this.#dependencies;
    return isStore(source) ? source.version(sequence) : undefined;
  }

  /** What becomes of a question, and why; undefined while there is no policy. `every`: with all rules of the tenant. */
  async explain(
    request: DecisionRequest & { readonly time: number },
    every: boolean,
  ): Promise<Explanation | undefined> {
    const { source, decide } = this.#dependencies;
    const snapshot = source.current();
    if (snapshot === undefined) return undefined;
    const verdict = decide(snapshot, request);
    const { tenant } = verdict.client;
    const rules = tenant === "" || !every ? [] : await source.consider({ ...request, tenant });
    return describeVerdict(snapshot, request, verdict, rules);
  }

  status(): ServiceStatus {
    const { source, registry, clusters } = this.#dependencies;
    const workers = { connected: registry.connected, behind: registry.behind(this.sequence), all: registry.list() };
    return { ...source.status(), workers, envoys: clusters.envoys, resources: this.resources() };
  }

  workers(): readonly WorkerStatus[] {
    return this.#dependencies.registry.list();
  }

  /** Of the policy in force; 0 is none. */
  get sequence(): number {
    return this.#dependencies.rollout.inForce?.sequence ?? 0;
  }

  async #change(
    ask: (store: PolicyStore) => Promise<ApplyResult>,
    { dryRun = false }: ApplyOptions,
  ): Promise<ApplyOutcome> {
    const { source, rollout, clusters, metrics } = this.#dependencies;
    if (!isStore(source)) {
      metrics.applies.inc({ result: "read_only" });
      return { kind: "read_only", message: `the policy is read from ${source.status().directory}: change it there` };
    }
    const result = await ask(source);
    if (!result.ok) {
      metrics.applies.inc({ result: result.reason });
      const { reason: kind, before, problems, warnings } = result;
      return { kind, before, problems, warnings };
    }
    const { before, version, changed, changes, differences, warnings } = result;
    const applied = { kind: "applied", dryRun, before, version, changed, changes, differences, warnings } as const;
    if (dryRun) {
      metrics.applies.inc({ result: "dry_run" });
      return { ...applied, acknowledged: 0, behind: [], envoys: [] };
    }
    const { acknowledged, behind } = await rollout.settled(version.sequence);
    metrics.applies.inc({ result: behind.length === 0 ? "applied" : "behind" });
    return { ...applied, acknowledged, behind, envoys: clusters.envoys };
  }

  drain(node?: string): number {
    return this.#dependencies.sync.drain(node);
  }

  /** In the text format of Prometheus. */
  async metrics(): Promise<{ readonly type: string; readonly text: string }> {
    const { metrics, registry, clusters } = this.#dependencies;
    metrics.workers.set(registry.connected);
    metrics.workersBehind.set(registry.behind(this.sequence).length);
    metrics.envoys.set(clusters.envoys.length);
    metrics.envoysRejecting.set(clusters.envoys.filter(({ rejected }) => rejected !== "").length);
    metrics.revision.set(this.sequence);
    return { type: metrics.registry.contentType, text: await metrics.registry.metrics() };
  }
}

function isStore(source: PolicySource | PolicyStore): source is PolicyStore {
  return "apply" in source;
}
