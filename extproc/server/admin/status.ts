/**
 * Workers and the service's state as JSON for people: times as dates, and who is behind.
 */
import type { Version } from "../../store/version.ts";
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

/** With the version in force now; in a dry run, with what would be. */
export interface ApplyDescription
  extends Version,
    Pick<Applied, "changed" | "changes" | "differences" | "warnings" | "envoys"> {
  /** The number of the version before. */
  readonly before: number;
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
  const { version, before, changed, changes, differences, warnings, acknowledged, behind, envoys } = applied;
  const workers = { acknowledged, behind: behind.map((worker) => describeWorker(worker, version.sequence)) };
  return { ...version, before: before.sequence, changed, changes, differences, warnings, workers, envoys };
}

export function describeStatus({ workers, ...status }: ServiceStatus): StatusDescription {
  const behind = workers.behind.map((worker) => describeWorker(worker, status.sequence));
  return { ...status, workers: { connected: workers.connected, behind } };
}
