/**
 * From a policy that is stored to one that every worker obeys.
 *
 * In this order, so that nothing is asked for before it is there: Envoys get the new clusters; names of the mesh are
 * taken away; the decisions are made by the new policy; workers are told, and acknowledge; Envoys lose the old clusters.
 */
import type { Snapshot } from "../compiled/snapshot.ts";
import { type Clock, within } from "./clock.ts";
import type { DiscoveryService } from "./discovery/discovery-service.ts";
import type { WorkerRegistry, WorkerStatus } from "./sync/registry.ts";

/** For what Envoys have to say about new clusters. One that says nothing only delays its own queries. */
const CLUSTER_WAIT_MS = 1000;
/** For acknowledgements of workers. */
const WORKER_WAIT_MS = 5000;

export interface RolloutDependencies {
  readonly clock: Clock;
  readonly clusters: DiscoveryService;
  readonly registry: WorkerRegistry;
  /** What must be before workers are told. */
  readonly prepare: (snapshot: Snapshot) => Promise<void>;
  /** The decisions are made by this one from now on; tells the workers. */
  readonly enforce: (snapshot: Snapshot) => void;
  /** Workers of an earlier run of this service may take so long to come back; 0 where there was none. */
  readonly returnMs?: number;
}

export interface Settlement {
  readonly acknowledged: number;
  /** Workers that may still answer by an older policy. */
  readonly behind: readonly WorkerStatus[];
}

export class Rollout {
  readonly #dependencies: RolloutDependencies;
  readonly #startedAt: number;
  #inForce: Snapshot | undefined;
  #offered: Snapshot | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  readonly #stopListening: () => void;

  constructor(dependencies: RolloutDependencies) {
    this.#dependencies = dependencies;
    this.#startedAt = dependencies.clock.elapsed();
    this.#stopListening = dependencies.registry.onChange(() => this.#removeRetired());
  }

  get inForce(): Snapshot | undefined {
    return this.#inForce;
  }

  /** The first policy of this run: there is nobody to wait for. */
  start(snapshot: Snapshot): void {
    void this.#dependencies.clusters.add(snapshot.clusters, 0);
    void this.#dependencies.prepare(snapshot);
    this.#enforce(snapshot);
  }

  /** A newer policy. Of several that wait, only the newest is ever in force. */
  offer(snapshot: Snapshot): void {
    this.#offered = snapshot;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      this.#removeRetired();
    });
  }

  /** Who obeys this revision, when all connected workers do or the time is up. */
  async settled(sequence: number): Promise<Settlement> {
    const { clock, registry, returnMs = 0 } = this.#dependencies;
    await this.#running;
    const early = this.#startedAt + returnMs - clock.elapsed();
    if (early > 0) await new Promise<void>((resolve) => clock.after(early, resolve));
    const acknowledged = registry.acknowledged(sequence);
    await within(clock, WORKER_WAIT_MS, acknowledged.done);
    acknowledged.cancel();
    const behind = registry.behind(sequence);
    return { acknowledged: registry.list().length - behind.length, behind };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#offered !== undefined && !this.#closed) {
      const snapshot = this.#offered;
      this.#offered = undefined;
      await this.#dependencies.clusters.add(snapshot.clusters, CLUSTER_WAIT_MS);
      await this.#dependencies.prepare(snapshot);
      this.#enforce(snapshot);
    }
  }

  #enforce(snapshot: Snapshot): void {
    this.#inForce = snapshot;
    this.#dependencies.enforce(snapshot);
    this.#removeRetired();
  }

  #removeRetired(): void {
    const { clusters, registry } = this.#dependencies;
    // While a newer policy is on its way, what looks retired may be what is in force.
    if (this.#inForce === undefined || this.#offered !== undefined || this.#running !== undefined) return;
    if (registry.behind(this.#inForce.sequence).length === 0) clusters.removeRetired();
  }
}
