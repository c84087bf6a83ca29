/**
 * Workers and the service's state as JSON for people: times as dates, and who is behind.
 */
import type { Version } from "../../store/version.ts";
import type { UpstreamServer } from "../certificates/upstream-certificates.ts";
import type { Applied, ServiceStatus } from "../control.ts";
import type { Condition, ObservedResource } from "../resource-status.ts";
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

export interface StatusDescription extends Omit<ServiceStatus, "workers" | "resources"> {
  readonly workers: {
    readonly connected: number;
    readonly behind: readonly WorkerDescription[];
    readonly nodes: readonly NodeDescription[];
  };
  readonly resources: readonly KindDescription[];
  /** Resources that are not programmed, and why. */
  readonly pending: readonly PendingResource[];
}

/** The workers of one Envoy process. */
export interface NodeDescription {
  readonly node: string;
  readonly process: string;
  readonly workers: number;
  readonly connected: number;
  /** The oldest revision that one of them has acknowledged last. */
  readonly acknowledged: number;
}

export interface KindDescription {
  readonly kind: string;
  readonly count: number;
  readonly programmed: number;
}

export interface PendingResource {
  readonly kind: string;
  readonly name: string;
  readonly generation: number;
  readonly reason: string;
  readonly message: string;
}

export interface ServerDescription extends Omit<UpstreamServer, "certificate"> {
  readonly certificate?: { readonly validUntil?: string; readonly error: string };
}

/** People read the first of them. */
const MAX_PENDING = 100;

export function describeWorker({ until, ...worker }: WorkerStatus, sequence: number): WorkerDescription {
  const behind = worker.acknowledged < sequence;
  return { ...worker, behind, ...(until === undefined ? {} : { until: new Date(until).toISOString() }) };
}

export function describeServer({ certificate, ...server }: UpstreamServer): ServerDescription {
  if (certificate === undefined) return server;
  const { validUntil, error } = certificate;
  const until = validUntil === undefined ? {} : { validUntil: new Date(validUntil).toISOString() };
  return { ...server, certificate: { ...until, error } };
}

export function describeApplied(applied: Applied): ApplyDescription {
  const { version, before, changed, changes, differences, warnings, acknowledged, behind, envoys } = applied;
  const workers = { acknowledged, behind: behind.map((worker) => describeWorker(worker, version.sequence)) };
  return { ...version, before: before.sequence, changed, changes, differences, warnings, workers, envoys };
}

export function describeStatus({ workers, resources, ...status }: ServiceStatus): StatusDescription {
  const behind = workers.behind.map((worker) => describeWorker(worker, status.revision));
  return {
    ...status,
    workers: { connected: workers.connected, behind, nodes: describeNodes(workers.all) },
    resources: describeKinds(resources),
    pending: resources.flatMap(describePending).slice(0, MAX_PENDING),
  };
}

function describeNodes(workers: readonly WorkerStatus[]): NodeDescription[] {
  const nodes = new Map<string, NodeDescription>();
  for (const { node, process, connected, acknowledged } of workers) {
    const key = `${process}/${node}`;
    const before = nodes.get(key) ?? { workers: 0, connected: 0, acknowledged };
    nodes.set(key, {
      node,
      process,
      workers: before.workers + 1,
      connected: before.connected + (connected ? 1 : 0),
      acknowledged: Math.min(before.acknowledged, acknowledged),
    });
  }
  return [...nodes.values()];
}

function describeKinds(resources: readonly ObservedResource[]): KindDescription[] {
  const kinds = [...new Set(resources.map(({ kind }) => kind))];
  return kinds.map((kind) => {
    const members = resources.filter((resource) => resource.kind === kind);
    const programmed = members.filter((resource) => programmedOf(resource)?.status === "True").length;
    return { kind, count: members.length, programmed };
  });
}

/** Where no worker is known, nothing is waited for. */
function describePending(resource: ObservedResource): PendingResource[] {
  const { kind, name, generation } = resource;
  const condition = programmedOf(resource);
  if (condition === undefined || condition.status !== "False") return [];
  return [{ kind, name, generation, reason: condition.reason, message: condition.message }];
}

export function programmedOf({ status }: ObservedResource): Condition | undefined {
  return status.conditions.find(({ type }) => type === "Programmed");
}
