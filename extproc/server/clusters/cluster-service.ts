/**
 * envoy.service.cluster.v3.ClusterDiscoveryService: one cluster for each upstream server.
 */
import { status } from "@grpc/grpc-js";
import type { ClusterDefinition } from "../../compiled/messages.ts";
import type {
  DiscoveryRequest,
  DiscoveryRequest__Output,
} from "../../gen/types/envoy/service/discovery/v3/DiscoveryRequest.ts";
import type {
  DiscoveryResponse,
  DiscoveryResponse__Output,
} from "../../gen/types/envoy/service/discovery/v3/DiscoveryResponse.ts";
import { method } from "../../messages/protos.ts";
import { type Clock, within } from "../clock.ts";
import { admits, type GrpcService } from "../grpc-service.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import { clusterResource } from "./cluster-resource.ts";
import { ClusterSet } from "./cluster-set.ts";
import {
  type ClusterCall,
  type ClusterVersion,
  type EnvoyListener,
  type EnvoyStatus,
  EnvoyStream,
} from "./envoy-stream.ts";

export const clusterDiscoveryService = {
  StreamClusters: method<DiscoveryRequest, DiscoveryRequest__Output, DiscoveryResponse, DiscoveryResponse__Output>(
    "envoy.service.cluster.v3.ClusterDiscoveryService",
    "StreamClusters",
  ),
};

export interface ClusterServiceDependencies {
  readonly token: Token | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** PEM to trust for upstream servers that name no authorities. */
  readonly defaultCa: string;
}

export class ClusterService implements EnvoyListener {
  readonly #dependencies: ClusterServiceDependencies;
  readonly #set = new ClusterSet();
  readonly #streams = new Set<EnvoyStream>();
  /** Undefined until there is a policy: an Envoy that asks earlier keeps what it has. */
  #version: ClusterVersion | undefined;
  #waiting: (() => void)[] = [];

  constructor(dependencies: ClusterServiceDependencies) {
    this.#dependencies = dependencies;
  }

  get grpc(): GrpcService {
    return {
      definition: clusterDiscoveryService,
      implementation: { StreamClusters: (call: ClusterCall) => this.#connect(call) },
    };
  }

  get envoys(): readonly EnvoyStatus[] {
    return [...this.#streams].map((stream) => stream.status);
  }

  /** Adds these clusters to what Envoys have. False where one did not answer in time. */
  async add(definitions: readonly ClusterDefinition[], waitMs: number): Promise<boolean> {
    if (this.#set.replace(definitions) || this.#version === undefined) this.#push();
    const number = this.#version?.number ?? 0;
    const answered = () => [...this.#streams].every((stream) => stream.hasAnswered(number));
    while (!answered()) {
      // Each round ends with an answer or a stream's end; the time for all of them is one.
      const round = new Promise<void>((resolve) => this.#waiting.push(resolve));
      const start = this.#dependencies.clock.elapsed();
      if (!(await within(this.#dependencies.clock, waitMs, round))) return false;
      waitMs = Math.max(0, waitMs - (this.#dependencies.clock.elapsed() - start));
    }
    return true;
  }

  /** Takes away what the last policies needed and the present one does not. */
  removeRetired(): void {
    if (this.#set.retire()) this.#push();
  }

  close(): void {
    for (const stream of [...this.#streams]) stream.end();
  }

  subscribed(stream: EnvoyStream): void {
    this.#streams.add(stream);
    this.#dependencies.logger.info({ node: stream.status.node }, "an Envoy has connected");
    if (this.#version !== undefined) stream.send(this.#version);
  }

  answered(stream: EnvoyStream): void {
    const { node, rejected } = stream.status;
    if (rejected !== "") this.#dependencies.logger.error({ node, rejected }, "an Envoy has rejected its clusters");
    this.#wake();
  }

  left(stream: EnvoyStream): void {
    if (!this.#streams.delete(stream)) return;
    this.#dependencies.logger.info({ node: stream.status.node }, "an Envoy has gone");
    this.#wake();
  }

  #connect(call: ClusterCall): void {
    const stream = new EnvoyStream(call, this);
    if (admits(this.#dependencies.token, call.metadata)) return;
    call.emit("error", { code: status.UNAUTHENTICATED, details: "expected the service's token" });
    stream.end();
  }

  #push(): void {
    const resources = this.#set.list().map((each) => clusterResource(each, this.#dependencies.defaultCa));
    this.#version = { number: (this.#version?.number ?? 0) + 1, resources };
    for (const stream of this.#streams) stream.send(this.#version);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
