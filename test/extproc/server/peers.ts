/**
 * Workers, Envoys and whoever asks for decisions, by gRPC as they would.
 */
import { type ClientDuplexStream, type Client as GrpcClient, Metadata, type StatusObject } from "@grpc/grpc-js";
import type { Report } from "../../../extproc/gen/types/dns/mesh/v1/Report.ts";
import type { ServiceMessage__Output } from "../../../extproc/gen/types/dns/mesh/v1/ServiceMessage.ts";
import type { WorkerMessage } from "../../../extproc/gen/types/dns/mesh/v1/WorkerMessage.ts";
import type { HeaderValue } from "../../../extproc/gen/types/envoy/config/core/v3/HeaderValue.ts";
import type { DiscoveryRequest } from "../../../extproc/gen/types/envoy/service/discovery/v3/DiscoveryRequest.ts";
import type { DiscoveryResponse__Output } from "../../../extproc/gen/types/envoy/service/discovery/v3/DiscoveryResponse.ts";
import type { ProcessingRequest } from "../../../extproc/gen/types/envoy/service/ext_proc/v3/ProcessingRequest.ts";
import type { ProcessingResponse__Output } from "../../../extproc/gen/types/envoy/service/ext_proc/v3/ProcessingResponse.ts";
import { toNumber } from "../../../extproc/messages/long.ts";
import { extProcService } from "../../../extproc/server/decisions/ext-proc.ts";
import { discoveryServices } from "../../../extproc/server/discovery/discovery-service.ts";
import { syncService } from "../../../extproc/server/sync/sync-service.ts";
import { until } from "./harness.ts";

export const CLUSTER_URL = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const LISTENER_URL = "type.googleapis.com/envoy.config.listener.v3.Listener";

const { aggregated, clusters } = discoveryServices;

interface Method {
  readonly path: string;
  readonly requestSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

function open<Request, Response>(client: GrpcClient, method: Method, metadata = new Metadata()) {
  return client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize as (value: Request) => Buffer,
    method.responseDeserialize as (bytes: Buffer) => Response,
    metadata,
  );
}

/** The metadata of callers that know the token. */
export function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

export type End = Pick<StatusObject, "code" | "details">;

/** One stream, and all that came by it. */
class Peer<Request, Response> {
  readonly received: Response[] = [];
  /** Undefined while the stream is open. */
  ended: End | undefined;
  protected readonly stream: ClientDuplexStream<Request, Response>;

  constructor(stream: ClientDuplexStream<Request, Response>) {
    this.stream = stream;
    stream.on("data", (message: Response) => this.received.push(message));
    stream.on("status", ({ code, details }: StatusObject) => {
      this.ended = { code, details };
    });
    // The status says it.
    stream.on("error", () => {});
  }

  send(message: Request): void {
    this.stream.write(message);
  }

  cancel(): void {
    this.stream.cancel();
  }

  async waitEnd(): Promise<End> {
    await until(() => this.ended !== undefined, "the stream to end");
    if (this.ended === undefined) throw new Error("expected an end");
    return this.ended;
  }
}

export interface WorkerOptions {
  readonly node?: string;
  readonly process?: number | string;
  readonly worker?: number | string;
  readonly concurrency?: number;
  readonly token?: string;
  /** Acknowledges every revision as soon as it comes. */
  readonly obedient?: boolean;
}

export class WorkerPeer extends Peer<WorkerMessage, ServiceMessage__Output> {
  constructor(client: GrpcClient, metadata?: Metadata) {
    super(open(client, syncService.Connect, metadata));
  }

  static hello(client: GrpcClient, options: WorkerOptions = {}): WorkerPeer {
    const { node = "envoy", process = 1, worker = 1, concurrency = 2, token = "", obedient = false } = options;
    const peer = new WorkerPeer(client);
    if (obedient) {
      peer.stream.on("data", ({ revision }: ServiceMessage__Output) => {
        if (revision) peer.ack(toNumber(revision.sequence));
      });
    }
    peer.send({ hello: { node, process, worker, concurrency, token } });
    return peer;
  }

  ack(sequence: number): void {
    this.send({ ack: { sequence } });
  }

  report(report: Report): void {
    this.send({ report });
  }

  get revisions(): number[] {
    return this.received.flatMap(({ revision }) => (revision ? [toNumber(revision.sequence)] : []));
  }

  get heartbeats(): number[] {
    return this.received.flatMap(({ heartbeat }) => (heartbeat ? [toNumber(heartbeat.sequence)] : []));
  }

  get reportAcks(): number[] {
    return this.received.flatMap(({ report_ack }) => (report_ack ? [toNumber(report_ack.number)] : []));
  }

  async waitRevision(sequence: number): Promise<void> {
    await until(() => this.revisions.includes(sequence), `revision ${sequence}`);
  }
}

export class EnvoyPeer extends Peer<DiscoveryRequest, DiscoveryResponse__Output> {
  /** `more` of its first request, which is for clusters. */
  constructor(client: GrpcClient, node = "envoy", metadata?: Metadata, more: DiscoveryRequest = {}) {
    super(open(client, aggregated.StreamAggregatedResources, metadata));
    this.send({ type_url: CLUSTER_URL, ...more, node: { ...more.node, id: node } });
  }

  /** One that asks the service of clusters alone. */
  static ofClusters(client: GrpcClient): Peer<DiscoveryRequest, DiscoveryResponse__Output> {
    const peer = new Peer<DiscoveryRequest, DiscoveryResponse__Output>(open(client, clusters.StreamClusters));
    peer.send({ node: { id: "old" } });
    return peer;
  }

  async next(count: number): Promise<DiscoveryResponse__Output> {
    await until(() => this.received.length >= count, `${count} discovery responses`);
    const response = this.received[count - 1];
    if (response === undefined) throw new Error("expected a response");
    return response;
  }

  accept({ version_info, nonce, type_url }: DiscoveryResponse__Output): void {
    this.send({ version_info, response_nonce: nonce, type_url });
  }

  reject({ nonce, type_url }: DiscoveryResponse__Output, message: string): void {
    this.send({ response_nonce: nonce, type_url, error_detail: { code: 3, message } });
  }
}

export class DecisionPeer extends Peer<ProcessingRequest, ProcessingResponse__Output> {
  constructor(client: GrpcClient, metadata?: Metadata) {
    super(open(client, extProcService.Process, metadata));
  }

  /** One decision as Envoy asks for it. */
  static async ask(client: GrpcClient, headers: readonly HeaderValue[], metadata?: Metadata) {
    const peer = new DecisionPeer(client, metadata);
    peer.send({ request_headers: { headers: { headers: [...headers] }, end_of_stream: true } });
    await until(() => peer.received.length > 0 || peer.ended !== undefined, "an answer");
    peer.stream.end();
    const { code } = await peer.waitEnd();
    return { response: peer.received[0]?.immediate_response ?? undefined, answers: peer.received.length, code };
  }
}
