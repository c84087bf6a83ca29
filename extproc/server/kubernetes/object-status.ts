/**
 * What is written into the status of an object: conditions of the Gateway API, as resource-status.ts has them of a
 * resource, with what became of this generation; and of all services of the store, not of one.
 */
import type { ListStatus } from "../../lists/followed-list.ts";
import type { CatalogStatus } from "../../mesh/catalogs/catalog.ts";
import type { JudgedObject } from "../../store/kubernetes/publisher.ts";
import type { ReplicaState } from "../replicas.ts";
import type { Condition } from "../resource-status.ts";
import { judgeSource } from "../resource-status.ts";

type Told = Pick<Condition, "status" | "reason" | "message">;

export interface ObjectStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  /** Of a NameList: what has been read of it. */
  readonly list?: Pick<ListStatus, "names" | "exceptions" | "left">;
}

export interface Seen {
  readonly replicas: readonly ReplicaState[];
  readonly lists: ReadonlyMap<string, ListStatus>;
  /** Of MeshSources. */
  readonly sources: ReadonlyMap<string, CatalogStatus>;
  /** ISO 8601. */
  readonly time: string;
}

/** Undefined where what is written already says so: times are of the change alone. */
export function nextStatus(judged: JudgedObject, { replicas, lists, sources, time }: Seen): ObjectStatus | undefined {
  const { object } = judged;
  const before = object.status as Partial<ObjectStatus> | undefined;
  const observedGeneration = object.generation;
  const conditionOf = (type: Condition["type"], told: Told): Condition => {
    const old = before?.conditions?.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === told.status ? (old.lastTransitionTime ?? time) : time;
    return { type, ...told, observedGeneration, lastTransitionTime };
  };
  const list = object.kind === "NameList" ? lists.get(object.name) : undefined;
  const source = object.kind === "MeshSource" ? sources.get(object.name) : undefined;
  const accepted = judgeAcceptance(judged);
  const isAccepted = accepted.status === "True";
  const wasProgrammed = before?.conditions?.find(({ type }) => type === "Programmed");
  const status: ObjectStatus = {
    observedGeneration,
    conditions: [
      conditionOf("Accepted", accepted),
      conditionOf(
        "ResolvedRefs",
        isAccepted ? judgeSource(list ?? source) : { ...accepted, status: "Unknown", message: "" },
      ),
      conditionOf("Programmed", isAccepted ? judgeReplicas(judged, replicas, wasProgrammed) : notProgrammed(judged)),
    ],
    ...(list && { list: { names: list.names, exceptions: list.exceptions, left: list.left } }),
  };
  return JSON.stringify(sorted(status)) === JSON.stringify(sorted(before)) ? undefined : status;
}

function judgeAcceptance({ reason, message }: JudgedObject): Told {
  if (reason === "Accepted") return { status: "True", reason, message };
  return { status: reason === "Held" ? "Unknown" : "False", reason, message };
}

function notProgrammed({ reason, revision }: JudgedObject): Told {
  return { status: "False", reason, message: revision === undefined ? "" : "an older generation is in force" };
}

/**
 * Once every worker has acknowledged it, it stays programmed: one that comes later is told before it answers. Words do not
 * count workers, or each that comes would have all objects written.
 */
function judgeReplicas(
  { object, revision = 0 }: JudgedObject,
  replicas: readonly ReplicaState[],
  before: Condition | undefined,
): Told {
  const rejecting = object.kind === "Upstream" ? replicas.find(({ rejected }) => rejected !== "") : undefined;
  if (rejecting) return { status: "False", reason: "Rejected", message: rejecting.rejected };
  const programmed: Told = { status: "True", reason: "Programmed", message: "" };
  if (before?.status === "True" && before.observedGeneration === object.generation) return programmed;
  const answering = replicas.filter(({ workers }) => workers > 0);
  if (answering.length === 0) return { status: "Unknown", reason: "NoWorkers", message: "no worker is known" };
  const behind = answering.find(({ acknowledged }) => acknowledged < revision);
  if (behind === undefined) return programmed;
  return { status: "False", reason: "Pending", message: `behind revision ${revision}: ${behind.oldest}` };
}

/** The API gives fields back in an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
}
