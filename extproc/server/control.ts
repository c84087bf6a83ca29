/**
 * What may be asked of the running service, by whatever way: change the policy, look at it, look who obeys it.
 */
import type { Change, ResourceChange } from "../compile/change.ts";
import type { Problem } from "../resources/problem.ts";
import type { PolicySource, SourceStatus, StoredResource } from "../store/policy-source.ts";
import type { PolicyStore } from "../store/store.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ClusterService } from "./clusters/cluster-service.ts";
import type { EnvoyStatus } from "./clusters/envoy-stream.ts";
import type { Health } from "./health.ts";
import type { Rollout } from "./rollout.ts";
import type { WorkerRegistry, WorkerStatus } from "./sync/registry.ts";
import type { SyncService } from "./sync/sync-service.ts";

export type ApplyOutcome =
  | { readonly kind: "read_only"; readonly message: string }
  | {
      readonly kind: "conflict" | "invalid";
      readonly problems: readonly Problem[];
      readonly warnings: readonly Problem[];
    }
  | (Applied & { readonly kind: "applied" });

export interface Applied {
  readonly sequence: number;
  readonly hash: string;
  readonly changed: boolean;
  readonly changes: readonly ResourceChange[];
  readonly warnings: readonly Problem[];
  /** Workers that obey it. */
  readonly acknowledged: number;
  /** Workers that may still answer by an older policy. */
  readonly behind: readonly WorkerStatus[];
  readonly envoys: readonly EnvoyStatus[];
}

export interface ServiceStatus extends SourceStatus {
  readonly workers: { readonly connected: number; readonly behind: readonly WorkerStatus[] };
  readonly envoys: readonly EnvoyStatus[];
}

export interface ControlDependencies {
  readonly source: PolicySource | PolicyStore;
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

  get ready(): boolean {
    return this.#dependencies.health.serving;
  }

  /** Resolved when every connected worker obeys it, or the time for that is up. */
  async apply(change: Change, dryRun = false): Promise<ApplyOutcome> {
    const { source, rollout, clusters, metrics } = this.#dependencies;
    if (!("apply" in source)) {
      metrics.applies.inc({ result: "read_only" });
      return { kind: "read_only", message: `the policy is read from ${source.status().directory}: change it there` };
    }
    const result = await source.apply(change, { dryRun });
    if (!result.ok) {
      metrics.applies.inc({ result: result.reason });
      return { kind: result.reason, problems: result.problems, warnings: result.warnings };
    }
    const { sequence, hash, changed, changes, warnings } = result;
    const applied = { kind: "applied", sequence, hash, changed, changes, warnings } as const;
    if (dryRun) {
      metrics.applies.inc({ result: "dry_run" });
      return { ...applied, acknowledged: 0, behind: [], envoys: [] };
    }
    const { acknowledged, behind } = await rollout.settled(sequence);
    metrics.applies.inc({ result: behind.length === 0 ? "applied" : "behind" });
    return { ...applied, acknowledged, behind, envoys: clusters.envoys };
  }

  resources(): readonly StoredResource[] {
    return this.#dependencies.source.resources();
  }

  status(): ServiceStatus {
    const { source, registry, clusters } = this.#dependencies;
    const workers = { connected: registry.connected, behind: registry.behind(this.sequence) };
    return { ...source.status(), workers, envoys: clusters.envoys };
  }

  workers(): readonly WorkerStatus[] {
    return this.#dependencies.registry.list();
  }

  /** Of the policy in force; 0 is none. */
  get sequence(): number {
    return this.#dependencies.rollout.inForce?.sequence ?? 0;
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
