/**
 * What Envoys get from us by xDS, aggregated (ADS) or as clusters alone (CDS): a cluster for each upstream server; and for
 * those that ask, the destinations of virtual addresses, and the listener that leads there.
 *
 * On a stream, clusters come before the listener that names them, and go when no Envoy has that listener any more.
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
import type { EncodedDestination } from "../../mesh/egress/destination-resources.ts";
import type { MeshRoom } from "../../mesh/mesh-room.ts";
import { method } from "../../messages/protos.ts";
import { type Clock, within } from "../clock.ts";
import { admits, type GrpcService } from "../grpc-service.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import { clusterResource } from "./cluster-resource.ts";
import { ClusterSet } from "./cluster-set.ts";
import { DestinationSet } from "./destination-set.ts";
import { type DiscoveryCall, type EnvoyListener, type EnvoyStatus, EnvoyStream, type Kind } from "./envoy-stream.ts";
import type { Resource } from "./resource.ts";
import { type VirtualOptions, virtualListener } from "./virtual-listener.ts";

const discovery = (service: string, name: string) =>
  method<DiscoveryRequest, DiscoveryRequest__Output, DiscoveryResponse, DiscoveryResponse__Output>(service, name);

export const discoveryServices = {
  aggregated: {
    StreamAggregatedResources: discovery(
      "envoy.service.discovery.v3.AggregatedDiscoveryService",
      "StreamAggregatedResources",
    ),
  },
  clusters: { StreamClusters: discovery("envoy.service.cluster.v3.ClusterDiscoveryService", "StreamClusters") },
};

export interface DiscoveryDependencies {
  readonly token: Token | undefined;
  /** The token itself, for Envoys that call us by what we have told them. */
  readonly secret: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** PEM to trust for upstream servers that name no authorities. */
  readonly defaultCa: string;
  readonly watchDestinations: MeshRoom["watchDestinations"];
}

/** Changes of destinations of so many milliseconds are told at once: each is a listener anew, with all of its chains. */
const DESTINATIONS_MS = 50;

export class DiscoveryService implements EnvoyListener {
  readonly #dependencies: DiscoveryDependencies;
  readonly #set = new ClusterSet();
  readonly #destinations = new DestinationSet();
  readonly #streams = new Set<EnvoyStream>();
  /** What each was told of first. What is told of later may take the place of something. */
  readonly #first = new WeakMap<EnvoyStream, ReadonlySet<EncodedDestination>>();
  /** Undefined until there is a policy: an Envoy that asks earlier keeps what it has. */
  #upstreams: readonly Resource[] | undefined;
  /** Counts all changes; the last of each kind is a number of it, 0 before there was one. */
  #lastNumber = 0;
  #upstreamsNumber = 0;
  #destinationsNumber = 0;
  #listenersNumber = 0;
  #isWatching = false;
  #isDue = false;
  /** Of #listenersNumber, by what Envoys want. */
  #listeners = new Map<string, Resource>();
  #waiting: (() => void)[] = [];

  constructor(dependencies: DiscoveryDependencies) {
    this.#dependencies = dependencies;
  }

  get grpc(): readonly GrpcService[] {
    const connect = (call: DiscoveryCall) => this.#connect(call);
    return [
      { definition: discoveryServices.aggregated, implementation: { StreamAggregatedResources: connect } },
      { definition: discoveryServices.clusters, implementation: { StreamClusters: connect } },
    ];
  }

  get envoys(): readonly EnvoyStatus[] {
    return [...this.#streams].map((stream) => stream.status);
  }

  /** Adds these clusters to what Envoys have. False where one did not answer in time. */
  async add(definitions: readonly ClusterDefinition[], waitMs: number): Promise<boolean> {
    if (this.#set.replace(definitions) || this.#upstreams === undefined) this.#upstreamsChanged();
    const number = this.#upstreamsNumber;
    const answered = () => [...this.#streams].every((stream) => stream.hasAnswered("clusters", number));
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
    if (this.#set.retire()) this.#upstreamsChanged();
  }

  /** The Envoy's workers have gone to another service, whose clusters they need before it tells them of a policy. */
  sendAway(node: string): void {
    for (const stream of [...this.#streams]) if (stream.status.node === node) stream.end();
  }

  close(): void {
    for (const stream of [...this.#streams]) stream.end();
  }

  subscribed(stream: EnvoyStream): void {
    if (!this.#streams.has(stream)) {
      this.#streams.add(stream);
      this.#dependencies.logger.info({ node: stream.status.node }, "an Envoy has connected");
    }
    if (stream.virtual !== undefined) this.#watch();
    this.#send(stream);
  }

  answered(stream: EnvoyStream, kind: Kind): void {
    const { node, rejected } = stream.status;
    if (rejected !== "") this.#dependencies.logger.error({ node, rejected }, `an Envoy has rejected its ${kind}`);
    this.#wake();
    // What came meanwhile has waited for this answer.
    this.#send(stream);
    this.#removeGone();
  }

  left(stream: EnvoyStream): void {
    if (!this.#streams.delete(stream)) return;
    this.#dependencies.logger.info({ node: stream.status.node }, "an Envoy has gone");
    this.#wake();
    this.#removeGone();
  }

  #connect(call: DiscoveryCall): void {
    const stream = new EnvoyStream(call, this);
    if (admits(this.#dependencies.token, call.metadata)) return;
    call.emit("error", { code: status.UNAUTHENTICATED, details: "expected the service's token" });
    stream.end();
  }

  #upstreamsChanged(): void {
    this.#upstreams = this.#set.list().map((each) => clusterResource(each, this.#dependencies.defaultCa));
    this.#upstreamsNumber = ++this.#lastNumber;
    for (const stream of this.#streams) this.#sendClusters(stream);
  }

  /** The first Envoy that asks for destinations is whom they are made for. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#dependencies.watchDestinations((change) => {
      this.#destinations.change(change);
      if (this.#isDue) return;
      this.#isDue = true;
      this.#dependencies.clock.after(this.#destinationsNumber === 0 ? 0 : DESTINATIONS_MS, () => {
        this.#isDue = false;
        this.#destinationsChanged();
      });
    });
  }

  #destinationsChanged(): void {
    this.#destinationsNumber = ++this.#lastNumber;
    this.#listenersNumber = this.#lastNumber;
    this.#listeners = new Map();
    const { clashes } = this.#destinations;
    if (clashes.length > 0) {
      const fields = { count: clashes.length, destinations: clashes.slice(0, 10) };
      this.#dependencies.logger.warn(fields, "addresses and ports of ServiceEntries are others', too: those have them");
    }
    for (const stream of this.#streams) this.#send(stream);
    this.#removeGone();
  }

  /** In this order; what an Envoy has not answered yet is not followed by more of its kind. */
  #send(stream: EnvoyStream): void {
    if (!stream.isIdle("listeners")) return;
    this.#sendClusters(stream);
    this.#sendListeners(stream);
  }

  #sendClusters(stream: EnvoyStream): void {
    if (this.#upstreams === undefined) return;
    if (stream.virtual === undefined) {
      stream.send("clusters", { number: this.#upstreamsNumber, resources: this.#upstreams });
      return;
    }
    // An Envoy that has destinations by an earlier run of this service keeps them until we know them.
    if (!this.#destinations.isKnown && !stream.isFresh("clusters")) return;
    const number = Math.max(this.#upstreamsNumber, this.#destinationsNumber);
    const first = this.#first.get(stream) ?? this.#destinations.all();
    if (this.#destinations.isKnown) this.#first.set(stream, first);
    stream.send("clusters", { number, resources: [...this.#upstreams, ...this.#destinations.clusters(first)] });
  }

  #sendListeners(stream: EnvoyStream): void {
    const { virtual } = stream;
    if (virtual === undefined) {
      stream.send("listeners", { number: 1, resources: [] });
    } else if (this.#upstreams !== undefined && this.#listenersNumber > 0) {
      stream.send("listeners", { number: this.#listenersNumber, resources: [this.#listenerFor(virtual)] });
    }
  }

  #listenerFor(options: VirtualOptions): Resource {
    const make = () => virtualListener(options, this.#destinations.chains(), this.#dependencies.secret);
    // An Envoy that asks us has one of its own.
    if (options.check !== undefined) return make();
    const key = JSON.stringify(options);
    const made = this.#listeners.get(key) ?? make();
    this.#listeners.set(key, made);
    return made;
  }

  /** Clusters of destinations go when no Envoy has a listener that leads there. */
  #removeGone(): void {
    const led = [...this.#streams].filter(({ virtual }) => virtual !== undefined);
    if (this.#isDue || !led.every((stream) => stream.hasAnswered("listeners", this.#listenersNumber))) return;
    if (!this.#destinations.retire()) return;
    this.#destinationsNumber = ++this.#lastNumber;
    for (const stream of led) this.#sendClusters(stream);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
