/**
 * One stream between a worker and the service: Hello, then acknowledgements and reports in; revisions, heartbeats
 * and report acknowledgements out.
 */
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { RevisionMessage } from "../../compiled/messages.ts";
import type { Hello__Output } from "../../gen/types/dns/mesh/v1/Hello.ts";
import type { MeterShare } from "../../gen/types/dns/mesh/v1/MeterShare.ts";
import type { MeterUse__Output } from "../../gen/types/dns/mesh/v1/MeterUse.ts";
import type { Report__Output } from "../../gen/types/dns/mesh/v1/Report.ts";
import type { ServiceMessage } from "../../gen/types/dns/mesh/v1/ServiceMessage.ts";
import type { WorkerMessage__Output } from "../../gen/types/dns/mesh/v1/WorkerMessage.ts";
import { toNumber } from "../../messages/long.ts";
import type { TelemetrySettings } from "../../telemetry/settings.ts";

export type SyncCall = ServerDuplexStream<WorkerMessage__Output, ServiceMessage | Uint8Array>;

/** What the stream is part of. */
export interface StreamOwner {
  /** False refuses the stream. */
  admit(hello: Hello__Output): boolean;
  joined(stream: WorkerStream, hello: Hello__Output): void;
  /** A message came after Hello. */
  heard(stream: WorkerStream): void;
  acknowledged(stream: WorkerStream, sequence: number): void;
  /** Calls `done` when the report is counted. */
  reported(stream: WorkerStream, report: Report__Output, done: () => void): void;
  /** What its meters have counted. */
  used(stream: WorkerStream, uses: readonly MeterUse__Output[]): void;
  /** The views (fixed64, decimal) that it answers by. */
  interested(stream: WorkerStream, views: readonly string[]): void;
  left(stream: WorkerStream): void;
}

/** sync.proto: so many reports may be unacknowledged. */
const MAX_REPORTS = 4;
/** A stream whose other end reads nothing gets no more than this. */
const MAX_BACKLOG = 64;
const MAX_NODE_LENGTH = 256;
const MAX_CONCURRENCY = 1024;

export class WorkerStream {
  readonly #call: SyncCall;
  readonly #owner: StreamOwner;
  #state: "new" | "joined" | "ended" = "new";
  #reports = 0;

  constructor(call: SyncCall, owner: StreamOwner) {
    this.#call = call;
    this.#owner = owner;
    call.on("data", (message: WorkerMessage__Output) => this.#read(message));
    call.on("end", () => this.end());
    call.on("cancelled", () => this.#leave());
    call.on("close", () => this.#leave());
    call.on("error", () => this.#leave());
  }

  get isNew(): boolean {
    return this.#state === "new";
  }

  /** Ends the stream without a reason: the worker opens another. */
  end(): void {
    if (this.#state === "ended") return;
    this.#leave();
    this.#call.end();
  }

  refuse(code: status, details: string): void {
    if (this.#state === "ended") return;
    this.#leave();
    this.#call.emit("error", { code, details });
  }

  sendRevision(revision: RevisionMessage & { readonly service: string }): void {
    this.#write({ revision: revision as unknown as NonNullable<ServiceMessage["revision"]> });
  }

  sendTelemetry({ events, graceMs }: TelemetrySettings): void {
    this.#write({ telemetry: { all_events: events === "All", prompt: graceMs !== undefined } });
  }

  sendHeartbeat(sequence: number): void {
    // What waits to be read says as much.
    if (!this.#call.writableNeedDrain) this.#write({ heartbeat: { sequence } });
  }

  sendClientsChanged(): void {
    this.#write({ clients_changed: {} });
  }

  sendDrain(): void {
    this.#write({ drain: {} });
  }

  get isCongested(): boolean {
    return this.#call.writableNeedDrain;
  }

  whenFree(task: () => void): void {
    this.#call.once("drain", task);
  }

  /** Takes a ServiceMessage. */
  sendEncoded(message: Uint8Array): void {
    this.#write(message);
  }

  sendMeterShares(shares: readonly MeterShare[]): void {
    // What waits to be read is followed by other shares within a second.
    if (!this.#call.writableNeedDrain) this.#write({ meter_shares: { shares: [...shares] } });
  }

  #write(message: ServiceMessage | Uint8Array): void {
    if (this.#state !== "joined") return;
    if (this.#call.writableLength >= MAX_BACKLOG) {
      this.refuse(status.RESOURCE_EXHAUSTED, `expected a reader, got none for ${MAX_BACKLOG} messages`);
      return;
    }
    this.#call.write(message);
  }

  #read({ hello, ack, report, meter_uses: meters, mesh_interest: interest }: WorkerMessage__Output): void {
    if (this.#state === "ended") return;
    if (this.#state === "joined") this.#owner.heard(this);
    if (this.#state === "new") {
      if (hello) this.#join(hello);
      else this.refuse(status.INVALID_ARGUMENT, "expected Hello first, got another message");
    } else if (ack) this.#owner.acknowledged(this, toNumber(ack.sequence));
    else if (report) this.#report(report);
    else if (meters) this.#owner.used(this, meters.uses);
    else if (interest) this.#owner.interested(this, interest.views.map(String));
    else if (hello) this.refuse(status.INVALID_ARGUMENT, "expected one Hello, got another");
  }

  #join(hello: Hello__Output): void {
    const { node, concurrency } = hello;
    if (node === "" || node.length > MAX_NODE_LENGTH) {
      this.refuse(status.INVALID_ARGUMENT, `expected a node of 1 to ${MAX_NODE_LENGTH} characters, got ${node.length}`);
    } else if (concurrency < 1 || concurrency > MAX_CONCURRENCY) {
      this.refuse(status.INVALID_ARGUMENT, `expected a concurrency of 1 to ${MAX_CONCURRENCY}, got ${concurrency}`);
    } else if (!this.#owner.admit(hello)) {
      this.refuse(status.UNAUTHENTICATED, "expected the service's token");
    } else {
      this.#state = "joined";
      this.#owner.joined(this, hello);
    }
  }

  #report(report: Report__Output): void {
    if (this.#reports >= MAX_REPORTS) {
      this.refuse(status.RESOURCE_EXHAUSTED, `expected at most ${MAX_REPORTS} unacknowledged reports, got more`);
      return;
    }
    this.#reports++;
    const number = toNumber(report.number);
    this.#owner.reported(this, report, () => {
      this.#reports--;
      this.#write({ report_ack: { number } });
    });
  }

  #leave(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#owner.left(this);
  }
}
