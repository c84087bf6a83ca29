/**
 * What became of a resource, as conditions of the Gateway API: Accepted, ResolvedRefs, Programmed.
 *
 * A set is refused as a whole, so what is in force is accepted and refers to what is there. A resource is programmed
 * when every worker that may answer has acknowledged the revision that brought its spec, or a later one.
 */
import type { ListStatus } from "../lists/followed-list.ts";
import type { CatalogStatus } from "../mesh/catalogs/catalog.ts";
import type { StoredResource } from "../store/policy-source.ts";
import type { EnvoyStatus } from "./discovery/envoy-stream.ts";
import type { WorkerStatus } from "./sync/registry.ts";

export interface Condition {
  readonly type: "Accepted" | "ResolvedRefs" | "Programmed";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** Absent where it is not known. */
  readonly lastTransitionTime?: string;
}

export interface ResourceStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  /** Of a NameList: what has been read of it. */
  readonly list?: Omit<ListStatus, "name">;
  /** Of a MeshSource: what has been read of it. */
  readonly source?: Omit<CatalogStatus, "name">;
}

export interface ObservedResource extends StoredResource {
  readonly status: ResourceStatus;
}

export interface Observation {
  /** The revision that workers are told; 0 for none. */
  readonly sequence: number;
  /** All that may answer. */
  readonly workers: readonly WorkerStatus[];
  readonly envoys: readonly EnvoyStatus[];
  /** When a version came in force, ISO 8601; undefined where that is not known. */
  readonly timeOf: (sequence: number) => string | undefined;
  readonly lists: readonly ListStatus[];
  readonly sources: readonly CatalogStatus[];
}

/** A message names so many workers, and counts the others. */
const MAX_NAMED = 5;

export function observe(resources: readonly StoredResource[], observation: Observation): ObservedResource[] {
  // Many resources came by one revision.
  const lists = new Map(observation.lists.map((list) => [list.name, list]));
  const sources = new Map(observation.sources.map((source) => [source.name, source]));
  const known = new Map<number, Pick<Condition, "status" | "reason" | "message">>();
  return resources.map((resource) => {
    const { kind, generation: observedGeneration, revision } = resource;
    const since = observation.timeOf(revision);
    const dated = since === undefined ? {} : { lastTransitionTime: since };
    const programmed = known.get(revision) ?? judgeWorkers(revision, observation);
    known.set(revision, programmed);
    const list = kind === "NameList" ? lists.get(resource.name) : undefined;
    const source = kind === "MeshSource" ? sources.get(resource.name) : undefined;
    const rejected = kind === "Upstream" && programmed.status === "True" ? judgeEnvoys(observation) : undefined;
    const conditions: Condition[] = [
      { type: "Accepted", status: "True", reason: "Accepted", message: "", observedGeneration, ...dated },
      { type: "ResolvedRefs", ...judgeSource(list ?? source), observedGeneration, ...dated },
      { type: "Programmed", ...(rejected ?? programmed), observedGeneration },
    ];
    const read = { ...(list && { list: withoutName(list) }), ...(source && { source: withoutName(source) }) };
    return { ...resource, status: { observedGeneration, conditions, ...read } };
  });
}

/** Of what cannot be read, the names are those that it had last. */
export function judgeSource(
  read: { readonly error: string } | undefined,
): Pick<Condition, "status" | "reason" | "message"> {
  if (read === undefined || read.error === "") return { status: "True", reason: "ResolvedRefs", message: "" };
  return { status: "False", reason: "Unreadable", message: read.error };
}

function withoutName<T extends { readonly name: string }>({ name: _, ...read }: T): Omit<T, "name"> {
  return read;
}

function judgeWorkers(
  revision: number,
  { sequence, workers }: Observation,
): Omit<Condition, "type" | "observedGeneration"> {
  if (revision > sequence) return { status: "False", reason: "Pending", message: "workers have not been told yet" };
  if (workers.length === 0) return { status: "Unknown", reason: "NoWorkers", message: "no worker is known" };
  const behind = workers.filter(({ acknowledged }) => acknowledged < revision);
  if (behind.length === 0) {
    return { status: "True", reason: "Programmed", message: `acknowledged by all of ${workers.length} workers` };
  }
  const named = behind.slice(0, MAX_NAMED).map(({ node, worker }) => `worker ${worker} of ${node}`);
  const more = behind.length > MAX_NAMED ? ` and ${behind.length - MAX_NAMED} more` : "";
  const message = `behind revision ${revision}: ${named.join(", ")}${more}, of ${workers.length} workers`;
  return { status: "False", reason: "Pending", message };
}

/** Envoys take clusters as a set: one that rejects them may lack any. */
function judgeEnvoys({ envoys }: Observation): Omit<Condition, "type" | "observedGeneration"> | undefined {
  const rejecting = envoys.find(({ rejected }) => rejected !== "");
  if (rejecting === undefined) return undefined;
  const message = `Envoy ${rejecting.node} has rejected its clusters: ${rejecting.rejected}`;
  return { status: "False", reason: "Rejected", message };
}
