/**
 * What a service does beside serving where the Kubernetes API is the store: it tells of its own workers, stands for
 * election, and while it leads, puts objects in force and writes what became of them.
 */
import type { Compiler } from "../../compile-thread/compiler.ts";
import type { KubernetesApi } from "../../kubernetes/api.ts";
import { KubernetesLease } from "../../kubernetes/kubernetes-lease.ts";
import { Leadership } from "../../leadership.ts";
import type { ListStatus } from "../../lists/followed-list.ts";
import type { MeshRoom } from "../../mesh/mesh-room.ts";
import { keyOfObject, PolicyObjects } from "../../store/kubernetes/policy-objects.ts";
import { StateWriter } from "../../store/kubernetes/published-state.ts";
import { type JudgedObject, Publisher } from "../../store/kubernetes/publisher.ts";
import type { Clock } from "../clock.ts";
import type { Control } from "../control.ts";
import type { Logger } from "../logger.ts";
import { Replicas, reportOf } from "../replicas.ts";
import { LeaseBoard } from "./lease-board.ts";
import { StatusWriter } from "./status-writer.ts";

export interface DutyOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Of this service, among those of the store. */
  readonly identity: string;
  readonly compiler: Compiler;
  readonly control: Control;
  readonly mesh: MeshRoom;
  readonly lists: () => readonly ListStatus[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Of the Lease. */
const LEASE_NAME = "dns-policy-leader";
/** How often it is looked who has workers, too, and what is new of one's own. */
const SHARE_MS = 1000;

/** Returns how to lay them down. */
export function takeDuties(options: DutyOptions): () => Promise<void> {
  const { api, namespace, identity, compiler, control, mesh, lists, clock, logger } = options;
  const after = (milliseconds: number, task: () => void) => void clock.after(milliseconds, task);
  const failed = (message: string) => (error: unknown) => logger.warn({ err: error }, message);
  const objects = new PolicyObjects({
    api,
    after,
    onChange: () => publisher.changed(),
    onFailed: (kind, error) =>
      logger.error({ kind, err: error }, "objects cannot be watched (dnspolicy crds has their definitions)"),
  });
  const replicas = new Replicas({
    board: new LeaseBoard({ api, namespace, clock, onFailed: failed("Leases of other services cannot be watched") }),
    identity,
    clock,
    everyMs: SHARE_MS,
    report: () => reportOf(control.workers(), control.envoys),
    onFailed: failed("the Lease of this service cannot be written: the leader does not know its workers"),
  });
  let refused = new Map<string, Pick<JudgedObject, "reason" | "message">>();
  const statuses = new StatusWriter({
    api,
    clock,
    current: (object) => objects.get(keyOfObject(object)),
    seen: () => ({
      replicas: replicas.states(),
      lists: new Map(lists().map((list) => [list.name, list])),
      sources: new Map(mesh.status().sources.map((source) => [source.name, source])),
    }),
    onFailed: failed("the status of objects cannot be written"),
  });
  const publisher = new Publisher({
    compiler,
    writer: new StateWriter(api, namespace),
    objects: () => objects.all(),
    namespace,
    now: () => clock.now(),
    after,
    onJudged: (judged) => {
      statuses.judged(judged);
      const before = refused;
      refused = new Map(
        judged
          .filter(({ reason }) => reason !== "Accepted")
          .map(({ object, reason, message }) => [keyOfObject(object), { reason, message }]),
      );
      for (const [object, { reason, message }] of refused) {
        if (before.get(object)?.message === message) continue;
        logger.warn({ object, reason, problem: message }, "an object is not in force");
      }
    },
    onPublished: (sequence) => logger.info({ sequence }, "objects of the Kubernetes API are a new version"),
    onFailed: failed("the policy in force cannot be written: it stays as it was"),
  });
  const leadMesh = (until: number) => void mesh.ask("lead", until).catch(() => {});
  const leadership = new Leadership({
    lease: new KubernetesLease({ api, namespace, name: LEASE_NAME, identity, clock }),
    clock,
    onChange: (leads) => {
      logger.info({ identity }, leads ? "this service leads" : "this service does not lead any more");
      statuses.lead(leads);
      if (!leads) leadMesh(0);
      // A part of the objects would be a set of its own.
      if (leads) void objects.listed.then(() => publisher.lead(leadership.leads));
      else publisher.lead(false);
    },
    // A thread that was stopped with its process must know by itself that this is over.
    onRenewed: (milliseconds) => leadMesh(clock.now() + milliseconds),
    onFailed: failed("the Lease of the leader cannot be read or written"),
  });
  leadership.start();
  const stopSharing = clock.every(SHARE_MS, () => {
    control.shareRates(replicas.part);
    if (leadership.leads) void replicas.removeSilent();
  });
  return async () => {
    stopSharing();
    await publisher.close();
    await statuses.close();
    await leadership.close();
    await replicas.close();
    objects.close();
  };
}
