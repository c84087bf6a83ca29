/**
 * dns.mesh.v1.Sync: every worker hears of every revision, and is heard when it has taken it over.
 */
import { status } from "@grpc/grpc-js";
import type { RevisionMessage } from "../../compiled/messages.ts";
import type { Hello__Output } from "../../gen/types/dns/mesh/v1/Hello.ts";
import type { MeterUse__Output } from "../../gen/types/dns/mesh/v1/MeterUse.ts";
import type { Report__Output } from "../../gen/types/dns/mesh/v1/Report.ts";
import type { ServiceMessage, ServiceMessage__Output } from "../../gen/types/dns/mesh/v1/ServiceMessage.ts";
import type { WorkerMessage, WorkerMessage__Output } from "../../gen/types/dns/mesh/v1/WorkerMessage.ts";
import type { MeshMember, MeshRoom } from "../../mesh/mesh-room.ts";
import { toHex } from "../../messages/long.ts";
import { method } from "../../messages/protos.ts";
import type { TelemetrySettings } from "../../telemetry/settings.ts";
import type { Clock } from "../clock.ts";
import { admits, type GrpcService } from "../grpc-service.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import { RateShares } from "./rate-shares.ts";
import type { Membership, WorkerIdentity, WorkerRegistry } from "./registry.ts";
import { type StreamOwner, type SyncCall, WorkerStream } from "./worker-stream.ts";

const connect = method<WorkerMessage, WorkerMessage__Output, ServiceMessage, ServiceMessage__Output>(
  "dns.mesh.v1.Sync",
  "Connect",
);

export const syncService = {
  Connect: {
    ...connect,
    /** What comes from another thread is encoded there. */
    responseSerialize: (message: ServiceMessage | ServiceMessage__Output | Uint8Array) =>
      message instanceof Uint8Array
        ? Buffer.from(message.buffer, message.byteOffset, message.byteLength)
        : connect.responseSerialize(message),
  },
};

const HEARTBEAT_MS = 1000;
const HELLO_TIMEOUT_MS = 5000;
/** A worker whose stream was cut off comes back sooner. */
const GONE_MS = 2000;

export interface SyncDependencies {
  /** Of this service: fixed64, decimal. */
  readonly identity: string;
  readonly token: Token | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: WorkerRegistry;
  /** The revision in force; undefined while there is none. */
  readonly revision: () => RevisionMessage | undefined;
  /** Whether clients may be others than before by one and the same revision. */
  readonly clientsChange: () => boolean;
  readonly telemetry: () => TelemetrySettings;
  readonly mesh: MeshRoom;
  /** The last worker of `node` has gone a while ago, and none has come. */
  readonly onNodeGone: (node: string) => void;
  /** A report of a worker of `node`. Calls `done` when it is counted. */
  readonly onReport: (report: Report__Output, node: string, done: () => void) => void;
}

interface Member {
  readonly identity: WorkerIdentity;
  readonly membership: Membership;
  readonly mesh: MeshMember;
}

export class SyncService implements StreamOwner {
  readonly #dependencies: SyncDependencies;
  readonly #streams = new Set<WorkerStream>();
  readonly #members = new Map<WorkerStream, Member>();
  /** Nodes that are being drained, and which process of each. */
  readonly #draining = new Map<string, string>();
  readonly #shares: RateShares;
  readonly #stopHeartbeat: () => void;

  constructor(dependencies: SyncDependencies) {
    this.#dependencies = dependencies;
    this.#shares = new RateShares(dependencies.clock);
    this.#stopHeartbeat = dependencies.clock.every(HEARTBEAT_MS, () => this.#beat());
  }

  get grpc(): GrpcService {
    return { definition: syncService, implementation: { Connect: (call: SyncCall) => this.#connect(call) } };
  }

  /** To every worker, in this very moment. */
  broadcast(revision: RevisionMessage): void {
    const telemetry = this.#dependencies.telemetry();
    for (const stream of [...this.#members.keys()]) {
      stream.sendTelemetry(telemetry);
      // The revision may be one that this worker has of a run of ours before this one.
      if (this.#dependencies.clientsChange()) stream.sendClientsChanged();
      stream.sendRevision({ ...revision, service: this.#dependencies.identity });
    }
  }

  /** Of each rate, workers of this service have so much, 1 being all. */
  set ratePart(part: number) {
    this.#shares.part = part;
  }

  /** Clients may be others than before, by the same policy. */
  clientsChanged(): void {
    for (const stream of [...this.#members.keys()]) stream.sendClientsChanged();
  }

  /** Tells the workers of a node, or of all nodes, that their Envoy will be stopped. Returns how many were told. */
  drain(node?: string): number {
    let count = 0;
    for (const [stream, { identity }] of this.#members) {
      if (node !== undefined && identity.node !== node) continue;
      this.#draining.set(identity.node, identity.process);
      stream.sendDrain();
      count++;
    }
    return count;
  }

  close(): void {
    this.#stopHeartbeat();
    for (const stream of [...this.#streams]) stream.end();
  }

  admit(hello: Hello__Output): boolean {
    const { token } = this.#dependencies;
    return token === undefined || token.matches(hello.token);
  }

  joined(stream: WorkerStream, hello: Hello__Output): void {
    const { registry, revision, mesh, logger } = this.#dependencies;
    const identity = { node: hello.node, process: toHex(hello.process), worker: toHex(hello.worker) };
    this.#members.set(stream, {
      identity,
      membership: registry.join(identity, hello.concurrency),
      mesh: mesh.join(
        {
          get isCongested() {
            return stream.isCongested;
          },
          send: (message) => stream.sendEncoded(message),
          whenFree: (task) => stream.whenFree(task),
        },
        hello.node,
      ),
    });
    logger.info(identity, "a worker has connected");
    stream.sendTelemetry(this.#dependencies.telemetry());
    // What has changed while it was not connected, it has not heard.
    if (this.#dependencies.clientsChange()) stream.sendClientsChanged();
    const current = revision();
    if (current !== undefined) {
      // Which one it knew before, and by whom, is not known here.
      const { lists_changed: _change, ...whole } = current;
      stream.sendRevision({ ...whole, service: this.#dependencies.identity });
    }
    if (this.#draining.get(identity.node) === identity.process) stream.sendDrain();
    else this.#draining.delete(identity.node);
  }

  heard(stream: WorkerStream): void {
    this.#members.get(stream)?.membership.heard();
  }

  acknowledged(stream: WorkerStream, sequence: number): void {
    // Nobody has a revision that was never sent; who says so must not be taken for up to date later.
    const newest = this.#dependencies.revision()?.sequence ?? 0;
    this.#members.get(stream)?.membership.acknowledge(Math.min(sequence, newest));
  }

  reported(stream: WorkerStream, report: Report__Output, done: () => void): void {
    this.#dependencies.onReport(report, this.#members.get(stream)?.identity.node ?? "", done);
  }

  used(stream: WorkerStream, uses: readonly MeterUse__Output[]): void {
    this.#shares.used(stream, uses);
  }

  interested(stream: WorkerStream, views: readonly string[]): void {
    this.#members.get(stream)?.mesh.interested(views);
  }

  left(stream: WorkerStream): void {
    this.#streams.delete(stream);
    const member = this.#members.get(stream);
    if (member === undefined) return;
    this.#members.delete(stream);
    member.membership.leave();
    member.mesh.leave();
    this.#shares.left(stream);
    this.#dependencies.logger.info(member.identity, "a worker has gone");
    const { node } = member.identity;
    this.#dependencies.clock.after(GONE_MS, () => {
      const isThere = [...this.#members.values()].some(({ identity }) => identity.node === node);
      if (!isThere) this.#dependencies.onNodeGone(node);
    });
  }

  #connect(call: SyncCall): void {
    const { token, clock } = this.#dependencies;
    const stream = new WorkerStream(call, this);
    this.#streams.add(stream);
    // The token may come with the call or with Hello; a wrong one in the call is refused at once.
    if (call.metadata.get("authorization").length > 0 && !admits(token, call.metadata)) {
      stream.refuse(status.UNAUTHENTICATED, "expected the service's token");
      return;
    }
    const cancel = clock.after(HELLO_TIMEOUT_MS, () => {
      if (stream.isNew) stream.refuse(status.DEADLINE_EXCEEDED, `expected Hello within ${HELLO_TIMEOUT_MS} ms`);
    });
    call.once("close", cancel);
  }

  #beat(): void {
    this.#dependencies.registry.expire();
    this.#shares.expire();
    for (const [stream, { membership }] of [...this.#members]) if (!membership.isKnown) stream.end();
    const sequence = this.#dependencies.revision()?.sequence;
    // Without a policy the service is as good as away, and silent.
    if (sequence === undefined) return;
    for (const stream of [...this.#members.keys()]) stream.sendHeartbeat(sequence);
  }
}
