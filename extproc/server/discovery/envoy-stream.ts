/**
 * One Envoy's subscriptions, state of the world (SotW) as xDS calls it: all resources of a kind with every change. By the
 * aggregated service one stream has all kinds, and what is sent first is done first.
 */
import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  DiscoveryRequest,
  DiscoveryRequest__Output,
} from "../../gen/types/envoy/service/discovery/v3/DiscoveryRequest.ts";
import type { DiscoveryResponse } from "../../gen/types/envoy/service/discovery/v3/DiscoveryResponse.ts";
import { CLUSTER_TYPE } from "./cluster-resource.ts";
import type { Resource } from "./resource.ts";
import { LISTENER_TYPE, readVirtualOptions, type VirtualOptions } from "./virtual-listener.ts";

export type DiscoveryCall = ServerDuplexStream<DiscoveryRequest__Output, DiscoveryResponse>;
export type { DiscoveryRequest };

export interface Version {
  /** Counts up. */
  readonly number: number;
  readonly resources: readonly Resource[];
}

export interface EnvoyStatus {
  /** node.id. */
  readonly node: string;
  /** Of the last version of its clusters that was accepted; 0 for none. */
  readonly accepted: number;
  /** Why the last version of something was rejected; empty where none was. */
  readonly rejected: string;
}

export interface EnvoyListener {
  /** The first request for a kind came. */
  subscribed(stream: EnvoyStream, kind: Kind): void;
  answered(stream: EnvoyStream, kind: Kind): void;
  left(stream: EnvoyStream): void;
}

const TYPE_URLS = {
  clusters: `type.googleapis.com/${CLUSTER_TYPE}`,
  listeners: `type.googleapis.com/${LISTENER_TYPE}`,
} as const;

export type Kind = keyof typeof TYPE_URLS;

class Subscription {
  /** The Envoy has none yet, of this service or one before. */
  readonly isFresh: boolean;
  /** The version that was sent last; its number is its nonce. */
  sent = 0;
  answered = 0;
  accepted = 0;
  rejected = "";

  constructor(isFresh: boolean) {
    this.isFresh = isFresh;
  }
}

export class EnvoyStream {
  readonly #call: DiscoveryCall;
  readonly #listener: EnvoyListener;
  #node: string | undefined;
  #virtual: VirtualOptions | undefined;
  readonly #subscriptions = new Map<Kind, Subscription>();
  #ended = false;

  constructor(call: DiscoveryCall, listener: EnvoyListener) {
    this.#call = call;
    this.#listener = listener;
    call.on("data", (request: DiscoveryRequest__Output) => this.#read(request));
    call.on("end", () => this.end());
    call.on("cancelled", () => this.#leave());
    call.on("close", () => this.#leave());
    call.on("error", () => this.#leave());
  }

  get status(): EnvoyStatus {
    const all = [...this.#subscriptions.values()];
    return {
      node: this.#node ?? "",
      accepted: this.#subscriptions.get("clusters")?.accepted ?? 0,
      rejected: all.find(({ rejected }) => rejected !== "")?.rejected ?? "",
    };
  }

  /** How it wants to be told of virtual addresses; undefined: not at all. */
  get virtual(): VirtualOptions | undefined {
    return this.#virtual;
  }

  /** Whether it wants the kind, and has none so far. */
  isFresh(kind: Kind): boolean {
    return this.#subscriptions.get(kind)?.isFresh ?? false;
  }

  /** Whether the Envoy has said yes or no to this version, or a later one. */
  hasAnswered(kind: Kind, version: number): boolean {
    const subscription = this.#subscriptions.get(kind);
    return subscription === undefined || subscription.answered >= version;
  }

  /** Whether it has said yes or no to all that was sent. */
  isIdle(kind: Kind): boolean {
    return this.hasAnswered(kind, this.#subscriptions.get(kind)?.sent ?? 0);
  }

  send(kind: Kind, { number, resources }: Version): void {
    const subscription = this.#subscriptions.get(kind);
    if (this.#ended || subscription === undefined || subscription.sent === number) return;
    subscription.sent = number;
    const text = String(number);
    this.#call.write({
      version_info: text,
      nonce: text,
      type_url: TYPE_URLS[kind],
      resources: resources as Resource[] as NonNullable<DiscoveryResponse["resources"]>,
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#leave();
    this.#call.end();
  }

  #read({ node, type_url, version_info, response_nonce, error_detail }: DiscoveryRequest__Output): void {
    if (this.#ended) return;
    const kind = kindOf(type_url);
    if (kind === undefined) {
      this.#leave();
      const details = `expected type_url ${Object.values(TYPE_URLS).join(" or ")}, got ${type_url.slice(0, 200)}`;
      this.#call.emit("error", { code: status.INVALID_ARGUMENT, details });
      return;
    }
    // Envoy tells its node in the first request only.
    if (this.#node === undefined) {
      this.#node = node?.id ?? "";
      this.#virtual = readVirtualOptions(node);
    }
    const subscription = this.#subscriptions.get(kind);
    if (subscription === undefined) {
      this.#subscriptions.set(kind, new Subscription(version_info === ""));
      this.#listener.subscribed(this, kind);
      return;
    }
    // An answer to an older version: the answer to the newest is on its way.
    if (response_nonce !== String(subscription.sent)) return;
    subscription.answered = subscription.sent;
    subscription.rejected = error_detail ? error_detail.message || `code ${error_detail.code}` : "";
    if (subscription.rejected === "") subscription.accepted = subscription.sent;
    this.#listener.answered(this, kind);
  }

  #leave(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.left(this);
  }
}

/** Who asks the service of clusters alone need not say that it wants them. */
function kindOf(typeUrl: string): Kind | undefined {
  if (typeUrl === "") return "clusters";
  return (Object.keys(TYPE_URLS) as Kind[]).find((kind) => TYPE_URLS[kind] === typeUrl);
}
