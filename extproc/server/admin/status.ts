/**
 * Workers and the service's state as JSON for people: times as dates, and who is behind.
 */
import type { Applied, ServiceStatus } from "../control.ts";
import type { WorkerStatus } from "../sync/registry.ts";

export interface WorkerDescription {
  readonly node: string;
  readonly process: string;
  readonly worker: string;
  readonly connected: boolean;
  readonly acknowledged: number;
  readonly behind: boolean;
  /** For one that is away: from then on it answers nothing by what it has. */
  readonly until?: string;
}

export interface ApplyDescription extends Omit<Applied, "behind" | "acknowledged"> {
  readonly workers: { readonly acknowledged: number; readonly behind: readonly WorkerDescription[] };
}

export interface StatusDescription extends Omit<ServiceStatus, "workers"> {
  readonly workers: { readonly connected: number; readonly behind: readonly WorkerDescription[] };
}

export function describeWorker({ until, ...worker }: WorkerStatus, sequence: number): WorkerDescription {
  const behind = worker.acknowledged < sequence;
  return { ...worker, behind, ...(until === undefined ? {} : { until: new Date(until).toISOString() }) };
}

export function describeApplied(applied: Applied): ApplyDescription {
  const { sequence, hash, changed, changes, warnings, acknowledged, behind, envoys } = applied;
  const workers = { acknowledged, behind: behind.map((worker) => describeWorker(worker, sequence)) };
  return { sequence, hash, changed, changes, warnings, workers, envoys };
}

export function describeStatus({ workers, ...status }: ServiceStatus): StatusDescription {
  const behind = workers.behind.map((worker) => describeWorker(worker, status.sequence));
  return { ...status, workers: { connected: workers.connected, behind } };
}
