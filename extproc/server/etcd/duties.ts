/**
 * What a service does beside serving where etcd is the store: it tells the others of its workers and hears of theirs, and
 * while it leads, it gives virtual addresses.
 */
import type { Etcd } from "../../etcd/etcd.ts";
import { EtcdLease } from "../../etcd/etcd-lease.ts";
import { Leadership } from "../../leadership.ts";
import type { MeshRoom } from "../../mesh/mesh-room.ts";
import type { Clock } from "../clock.ts";
import type { Control } from "../control.ts";
import type { Logger } from "../logger.ts";
import { Replicas, reportOf } from "../replicas.ts";
import { KeyBoard } from "./key-board.ts";

export interface DutyOptions {
  readonly etcd: Etcd;
  /** Of this service, among those of the store. */
  readonly identity: string;
  readonly control: Control;
  readonly mesh: MeshRoom;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LEADER_KEY = "leader";
/** A change is answered when workers of all services obey, and so waits for what is told here. */
const REPORT_MS = 100;
/** How often it is looked who has workers, too. */
const SHARE_MS = 1000;

/** Returns how to lay them down. */
export function takeDuties({ etcd, identity, control, mesh, clock, logger }: DutyOptions): () => Promise<void> {
  const failed = (message: string) => (error: unknown) => logger.warn({ err: error }, message);
  const replicas = new Replicas({
    board: new KeyBoard({ etcd, clock, onFailed: failed("what other services tell cannot be watched") }),
    identity,
    clock,
    everyMs: REPORT_MS,
    report: () => reportOf(control.workers(), control.envoys),
    onFailed: failed("other services cannot be told of the workers of this one"),
  });
  control.replicas = replicas;
  const leadMesh = (until: number) => void mesh.ask("lead", until).catch(() => {});
  const leadership = new Leadership({
    lease: new EtcdLease({ etcd, key: LEADER_KEY, identity }),
    clock,
    onChange: (leads) => {
      logger.info({ identity }, leads ? "this service leads" : "this service does not lead any more");
      if (!leads) leadMesh(0);
    },
    // A thread that was stopped with its process must know by itself that this is over.
    onRenewed: (milliseconds) => leadMesh(clock.now() + milliseconds),
    onFailed: failed("the lease of the leader cannot be taken or kept"),
  });
  leadership.start();
  const stopSharing = clock.every(SHARE_MS, () => control.shareRates(replicas.part));
  return async () => {
    stopSharing();
    await leadership.close();
    await replicas.close();
  };
}
