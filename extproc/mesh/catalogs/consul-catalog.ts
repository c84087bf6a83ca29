/**
 * Consul's catalog as a source of names: its services with the instances that pass their checks, and its nodes. What was
 * told last stays while Consul is away.
 */
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { ConsulReference, MeshSourceReference } from "../../compiled/mesh-source-reference.ts";
import { Catalog, type CatalogOptions } from "./catalog.ts";
import {
  type ConsulInstance,
  type ConsulNode,
  consulNames,
  instancesSchema,
  nodesSchema,
  servicesSchema,
} from "./consul-names.ts";
import { type ConsulServer, ConsulWatch } from "./consul-watch.ts";

/** An agent lets a client have 200 connections: services beyond that are watched in turns. */
const MAX_CONNECTIONS = 150;
const WAIT_SECONDS = { few: 300, many: 2 } as const;
/** Changes of so many milliseconds are taken over at once. */
const BATCH_MS = 20;

export class ConsulCatalog extends Catalog {
  readonly first: Promise<void>;
  readonly #reference: ConsulReference;
  readonly #agent: HttpAgent;
  readonly #datacenters: readonly Datacenter[];
  #due = false;
  #closed = false;

  constructor(reference: MeshSourceReference, consul: ConsulReference, options: CatalogOptions) {
    super(reference, options);
    this.#reference = consul;
    const url = new URL(consul.address);
    this.#agent = this.#makeAgent(url);
    const server: ConsulServer = {
      url,
      agent: this.#agent,
      readToken: async () =>
        consul.tokenFile === undefined ? undefined : (await readFile(consul.tokenFile, "utf8")).trim(),
      after: options.after,
    };
    const waitSeconds = () => {
      const services = this.#datacenters.reduce((sum, { services: all }) => sum + all.size, 0);
      return services > MAX_CONNECTIONS ? WAIT_SECONDS.many : WAIT_SECONDS.few;
    };
    const onError = (error: Error) => {
      if (!this.#closed) this.failed(`${consul.address}: ${error.message}`);
    };
    const surroundings = { server, waitSeconds, onError, onChange: () => this.#takeLater() };
    this.#datacenters = [undefined, ...consul.datacenters].map((name) => new Datacenter(name, surroundings));
    this.first = Promise.all(this.#datacenters.map(({ first }) => first)).then(() => this.#take());
  }

  protected get from(): string {
    return `Consul at ${this.#reference.address}`;
  }

  close(): void {
    this.#closed = true;
    for (const datacenter of this.#datacenters) datacenter.close();
    this.#agent.destroy();
  }

  #makeAgent(url: URL): HttpAgent {
    const options = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
    return url.protocol === "https:" ? new HttpsAgent({ ...options, ca: this.#reference.ca }) : new HttpAgent(options);
  }

  #takeLater(): void {
    if (this.#due) return;
    this.#due = true;
    this.options.after(BATCH_MS, () => this.#take());
  }

  #take(): void {
    this.#due = false;
    // Before all was told once, what is not there yet would be taken for gone.
    const isWhole = this.#datacenters.every(({ isTold }) => isTold);
    if (this.#closed || !isWhole) return;
    const { domain, ttl } = this.#reference;
    this.took(consulNames(this.#datacenters, domain, ttl), this.options.now());
  }
}

interface Surroundings {
  readonly server: ConsulServer;
  readonly waitSeconds: () => number;
  readonly onError: (error: Error) => void;
  readonly onChange: () => void;
}

/** Of one datacenter: its nodes, its services, and the instances of each. */
class Datacenter {
  readonly first: Promise<void>;
  /** Without a name, it is the agent's own. */
  readonly isOwn: boolean;
  readonly services = new Map<string, readonly ConsulInstance[]>();
  nodes: readonly ConsulNode[] = [];
  readonly #query: string;
  readonly #surroundings: Surroundings;
  readonly #watches: readonly ConsulWatch<unknown>[];
  readonly #instances = new Map<string, ConsulWatch<unknown>>();
  #hasNodes = false;
  #hasServices = false;

  constructor(name: string | undefined, surroundings: Surroundings) {
    this.isOwn = name === undefined;
    this.#query = name === undefined ? "" : `?dc=${encodeURIComponent(name)}`;
    this.#surroundings = surroundings;
    const nodes = this.#watch(`/v1/catalog/nodes${this.#query}`, nodesSchema.parse, (all) => {
      this.nodes = all;
      this.#hasNodes = true;
    });
    const services = this.#watch(`/v1/catalog/services${this.#query}`, servicesSchema.parse, (all) => {
      this.#follow(Object.keys(all));
      this.#hasServices = true;
    });
    this.#watches = [nodes, services];
    this.first = Promise.all([nodes.first, services.first]).then(async () => {
      await Promise.all([...this.#instances.values()].map((watch) => watch.first));
    });
  }

  /** Whether everything was told once. */
  get isTold(): boolean {
    return this.#hasNodes && this.#hasServices && [...this.#instances.keys()].every((name) => this.services.has(name));
  }

  close(): void {
    for (const watch of [...this.#watches, ...this.#instances.values()]) watch.close();
  }

  #follow(names: readonly string[]): void {
    const kept = new Set(names);
    for (const [name, watch] of this.#instances) {
      if (kept.has(name)) continue;
      watch.close();
      this.#instances.delete(name);
      this.services.delete(name);
    }
    const more = this.#query === "" ? "?" : `${this.#query}&`;
    for (const name of kept) {
      if (this.#instances.has(name)) continue;
      const path = `/v1/health/service/${encodeURIComponent(name)}${more}passing=true`;
      const watch = this.#watch(path, instancesSchema.parse, (instances) => this.services.set(name, instances));
      this.#instances.set(name, watch);
    }
  }

  #watch<T>(path: string, read: (body: unknown) => T, take: (value: T) => void): ConsulWatch<unknown> {
    const { server, waitSeconds, onError, onChange } = this.#surroundings;
    const onValue = (value: T) => {
      take(value);
      onChange();
    };
    return new ConsulWatch<T>({ server, path, read, waitSeconds, onValue, onError }) as ConsulWatch<unknown>;
  }
}
