/**
 * Names of services and nodes as Consul's own DNS interface has them (developer.hashicorp.com/consul/docs, "Services
 * discovery, DNS"), of what its HTTP API tells.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { parseAddress } from "../../resources/network.ts";
import {
  addressRecord,
  aliasRecord,
  type Octets,
  prepend,
  type RecordData,
  serviceRecord,
  wireOf,
} from "../names/wire.ts";
import { canonical } from "../sources/workloads.ts";
import type { CatalogName, CatalogNames } from "./catalog.ts";

/** Of /v1/catalog/services: tags by service. */
export const servicesSchema = z.record(z.string(), z.array(z.string()));

/** Of /v1/catalog/nodes. */
export const nodesSchema = z.array(z.object({ Node: z.string(), Address: z.string(), Datacenter: z.string() }));

/** Of /v1/health/service/NAME. */
export const instancesSchema = z.array(
  z.object({
    Node: z.object({ Node: z.string(), Address: z.string(), Datacenter: z.string() }),
    Service: z.object({
      Address: z.string(),
      Port: z.int().min(0).max(65_535),
      Tags: z.array(z.string()).nullish(),
      Weights: z.object({ Passing: z.int() }).nullish(),
    }),
  }),
);

export type ConsulNode = z.output<typeof nodesSchema>[number];
export type ConsulInstance = z.output<typeof instancesSchema>[number];

export interface ConsulContents {
  /** Whether names without a datacenter are those of this one. */
  readonly isOwn: boolean;
  readonly nodes: readonly ConsulNode[];
  /** Of each service, those that pass their checks. */
  readonly services: ReadonlyMap<string, readonly ConsulInstance[]>;
}

/** An answer holds no more than some thousand. */
const MAX_RECORDS = 1000;
/** Names of Consul may be anything; of those that are no labels it has no names either. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const PRIORITY = 1;

export function consulNames(contents: Iterable<ConsulContents>, domain: string, ttl: number): CatalogNames {
  const names = new Names(wireOf(domain), ttl);
  for (const { isOwn, nodes, services } of contents) {
    for (const node of nodes) addNode(names, node, isOwn);
    for (const [service, instances] of services) {
      for (const instance of instances) addInstance(names, service, instance, isOwn);
    }
  }
  return names.all;
}

function addNode(names: Names, { Node, Address, Datacenter }: ConsulNode, isOwn: boolean): void {
  const record = recordOf(Address);
  for (const datacenter of datacentersOf(Datacenter, isOwn)) names.add([Node, "node", ...datacenter], record);
}

function addInstance(names: Names, service: string, { Node, Service }: ConsulInstance, isOwn: boolean): void {
  const own = Service.Address === "" ? Node.Address : Service.Address;
  const record = recordOf(own);
  const target = names.targetOf(Node, own);
  const tags = Service.Tags ?? [];
  const weight = Math.min(65_535, Math.max(0, Service.Weights?.Passing ?? 1));
  const port = target === undefined ? undefined : serviceRecord(Service.Port, target, PRIORITY, weight);
  if (own !== Node.Address && isIP(own) !== 0) names.add([hexOf(own), "addr", Node.Datacenter], record);
  for (const datacenter of datacentersOf(Node.Datacenter, isOwn)) {
    for (const tag of [[], ...tags.map((one) => [one])]) {
      const name = [...tag, service, "service", ...datacenter];
      names.add(name, record);
      if (port !== undefined) names.add(name, port);
    }
    // RFC 2782: the protocol is a tag, and `tcp` is everything. `service` may be left out.
    for (const tag of new Set(["tcp", ...tags])) {
      if (port === undefined) continue;
      names.add([`_${service}`, `_${tag}`, "service", ...datacenter], port);
      names.add([`_${service}`, `_${tag}`, ...datacenter], port);
    }
  }
}

function datacentersOf(name: string, isOwn: boolean): readonly (readonly string[])[] {
  return isOwn ? [[], [name]] : [[name]];
}

/** An address, or a name that is the alias of. */
function recordOf(address: string): RecordData | undefined {
  if (isIP(address) !== 0) return addressRecord(canonical(address));
  const target = nameOf(address);
  return target === undefined ? undefined : aliasRecord(target);
}

function nameOf(text: string): Octets | undefined {
  const labels = text.replace(/\.$/, "").split(".");
  return labels.every((label) => LABEL.test(label)) ? prepend(labels, "\0") : undefined;
}

/** As in `0a000001.addr.dc1.consul`. */
function hexOf(address: string): string {
  const octets = parseAddress(address);
  return typeof octets === "string" ? "" : Buffer.from(octets).toString("hex");
}

class Names {
  readonly all = new Map<string, CatalogName>();
  readonly #domain: Octets;
  readonly #ttl: number;

  constructor(domain: Octets, ttl: number) {
    this.#domain = domain;
    this.#ttl = ttl;
  }

  add(labels: readonly string[], record: RecordData | undefined): void {
    const name = this.#nameOf(labels);
    if (name === undefined || record === undefined) return;
    const before = this.all.get(name)?.records ?? [];
    if (before.length >= MAX_RECORDS || before.some(({ type, data }) => type === record.type && data === record.data))
      return;
    this.all.set(name, { name, wildcard: false, ttl: this.#ttl, records: [...before, record] });
  }

  /** What an SRV leads to: the node, or where the instance has another address, a name of that. */
  targetOf({ Node, Address, Datacenter }: ConsulInstance["Node"], own: string): Octets | undefined {
    if (own === Address) return this.#nameOf([Node, "node", Datacenter]);
    return isIP(own) === 0 ? nameOf(own) : this.#nameOf([hexOf(own), "addr", Datacenter]);
  }

  #nameOf(labels: readonly string[]): Octets | undefined {
    return labels.every((label) => LABEL.test(label)) ? prepend(labels, this.#domain) : undefined;
  }
}
