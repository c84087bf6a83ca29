/**
 * One Envoy's subscription to the clusters, state of the world (SotW) as xDS calls it.
 */
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  DiscoveryRequest,
  DiscoveryRequest__Output,
} from "../../gen/types/envoy/service/discovery/v3/DiscoveryRequest.ts";
import type { DiscoveryResponse } from "../../gen/types/envoy/service/discovery/v3/DiscoveryResponse.ts";
import type { Any } from "./cluster-resource.ts";
import { CLUSTER_TYPE } from "./cluster-resource.ts";

export type ClusterCall = ServerDuplexStream<DiscoveryRequest__Output, DiscoveryResponse>;
export type { DiscoveryRequest };

export interface ClusterVersion {
  /** Counts up. */
  readonly number: number;
  readonly resources: readonly Any[];
}

export interface EnvoyStatus {
  /** node.id. */
  readonly node: string;
  /** Of the last version that was accepted; 0 for none. */
  readonly accepted: number;
  /** Why the last version was rejected; empty where it was not. */
  readonly rejected: string;
}

export interface EnvoyListener {
  /** The first request came: the stream wants the clusters. */
  subscribed(stream: EnvoyStream): void;
  answered(stream: EnvoyStream): void;
  left(stream: EnvoyStream): void;
}

const CLUSTER_TYPE_URL = `type.googleapis.com/${CLUSTER_TYPE}`;

export class EnvoyStream {
  readonly #call: ClusterCall;
  readonly #listener: EnvoyListener;
  #node = "";
  #subscribed = false;
  #ended = false;
  /** The version that was sent last; its number is its nonce. */
  #sent = 0;
  #answered = 0;
  #accepted = 0;
  #rejected = "";

  constructor(call: ClusterCall, listener: EnvoyListener) {
    this.#call = call;
    this.#listener = listener;
    call.on("data", (request: DiscoveryRequest__Output) => this.#read(request));
    call.on("end", () => this.end());
    call.on("cancelled", () => this.#leave());
    call.on("close", () => this.#leave());
    call.on("error", () => this.#leave());
  }

  get status(): EnvoyStatus {
    return { node: this.#node, accepted: this.#accepted, rejected: this.#rejected };
  }

  /** Whether the Envoy has said yes or no to this version, or a later one. */
  hasAnswered(version: number): boolean {
    return this.#answered >= version;
  }

  send({ number, resources }: ClusterVersion): void {
    if (this.#ended || !this.#subscribed || this.#sent === number) return;
    this.#sent = number;
    const text = String(number);
    this.#call.write({ version_info: text, nonce: text, type_url: CLUSTER_TYPE_URL, resources: [...resources] });
  }

  end(): void {
    if (this.#ended) return;
    this.#leave();
    this.#call.end();
  }

  #read({ node, type_url, response_nonce, error_detail }: DiscoveryRequest__Output): void {
    if (this.#ended) return;
    if (type_url !== "" && type_url !== CLUSTER_TYPE_URL) {
      this.#leave();
      const details = `expected type_url ${CLUSTER_TYPE_URL}, got ${type_url.slice(0, 200)}`;
      this.#call.emit("error", { code: status.INVALID_ARGUMENT, details });
      return;
    }
    // Envoy tells its node in the first request only.
    if (node?.id) this.#node = node.id;
    if (!this.#subscribed) {
      this.#subscribed = true;
      this.#listener.subscribed(this);
      return;
    }
    // An answer to an older version: the answer to the newest is on its way.
    if (response_nonce !== String(this.#sent)) return;
    this.#answered = this.#sent;
    this.#rejected = error_detail ? error_detail.message || `code ${error_detail.code}` : "";
    if (this.#rejected === "") this.#accepted = this.#sent;
    this.#listener.answered(this);
  }

  #leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.left(this);
  }
}
