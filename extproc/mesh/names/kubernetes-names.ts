/**
 * Names of Kubernetes objects: "Kubernetes DNS-Based Service Discovery", version 1.1 (github.com/kubernetes/dns,
 * docs/specification.md), and names of pods by their addresses.
 */
import { parseTtl } from "../../resources/duration.ts";
import type { ObjectOf } from "../sources/object.ts";
import { canonical, toWorkload } from "../sources/workloads.ts";
import { type Contribution, EVERYBODY, type Group, toGroup } from "./contribution.ts";
import {
  addressLabel,
  addressRecord,
  aliasRecord,
  type Octets,
  parentOf,
  pointerRecord,
  prepend,
  type RecordData,
  reverseOf,
  serviceRecord,
  textRecord,
  wireOf,
} from "./wire.ts";

/** An answer holds no more than some thousand; a service with more endpoints is found by the first. */
const MAX_ENDPOINTS = 1000;

export interface Zone {
  /** The cluster domain. */
  readonly apex: Octets;
  readonly services: Octets;
  readonly pods: Octets;
  readonly ttl: number;
}

export function zoneOf(clusterDomain: string, ttl: number): Zone {
  const apex = wireOf(clusterDomain);
  const below = (label: string) => prepend([label], apex) ?? apex;
  return { apex, services: below("svc"), pods: below("pod"), ttl };
}

/** Names that are there for everybody, whatever there is. */
export function zoneNames({ apex, services, pods, ttl }: Zone, clusterSet: Zone): Contribution[] {
  const common = { wildcard: false, group: EVERYBODY, ttl };
  const version = prepend(["dns-version"], apex);
  const bare = [apex, services, pods, clusterSet.apex, clusterSet.services];
  return [
    ...bare.map((name) => ({ ...common, name, records: [] })),
    ...(version === undefined ? [] : [{ ...common, name: version, records: [textRecord("1.1.0")] }]),
  ];
}

export function namespaceNames({ name }: ObjectOf<"Namespace">, zone: Zone): Contribution[] {
  const common = { wildcard: false, group: toGroup(name, []), ttl: zone.ttl, records: [] };
  return [zone.services, zone.pods].flatMap((parent) => {
    const own = prepend([name], parent);
    return own === undefined ? [] : [{ ...common, name: own }];
  });
}

export function podNames(pod: ObjectOf<"Pod">, zone: Zone): Contribution[] {
  const names = new Names(toGroup(pod.namespace, []), zone.ttl);
  for (const address of toWorkload(pod).addresses) {
    names.add(prepend([addressLabel(address), pod.namespace], zone.pods), addressRecord(address), zone.pods);
  }
  return names.all();
}

export function serviceNames(
  service: ObjectOf<"Service">,
  slices: Iterable<ObjectOf<"EndpointSlice">>,
  zone: Zone,
  places: Places,
  facets: readonly string[] = [],
): Contribution[] {
  const { namespace, name, value } = service;
  const { metadata, spec } = value;
  const own = prepend([name, namespace], zone.services);
  if (own === undefined) return [];
  const exportTo = metadata.annotations["networking.istio.io/exportTo"] ?? "";
  const names = new Names(toGroup(namespace, exportTo.split(","), facets), ttlOf(metadata.annotations, zone.ttl));
  if (spec.type === "ExternalName") {
    if (spec.externalName !== undefined) names.add(own, aliasRecord(wireOf(spec.externalName)), zone.services);
    return names.all();
  }
  const addresses = spec.clusterIPs.length > 0 ? spec.clusterIPs : [spec.clusterIP ?? ""];
  if (addresses.includes("None")) {
    addEndpoints(names, own, zone, slices, { places, unready: spec.publishNotReadyAddresses === true });
    return names.all();
  }
  addAddresses(names, own, zone, addresses, spec.ports);
  return names.all();
}

/** A service by addresses of its own, and its named ports; none where it has no address yet. */
export function addAddresses(
  names: Names,
  own: Octets,
  { services }: Zone,
  addresses: readonly string[],
  ports: ObjectOf<"Service">["value"]["spec"]["ports"],
): void {
  const assigned = addresses.filter((address) => address !== "").map(canonical);
  if (assigned.length === 0) return;
  for (const address of assigned) {
    names.add(own, addressRecord(address), services);
    names.add(reverseOf(address), pointerRecord(own));
  }
  for (const { name = "", port, protocol } of ports) {
    if (name !== "") names.add(portOf(name, protocol, own), serviceRecord(port, own), services);
  }
}

/** Where an endpoint is, `REGION/ZONE`. */
export type Places = (endpoint: {
  readonly nodeName?: string | undefined;
  readonly zone?: string | undefined;
}) => string | undefined;

export interface EndpointOptions {
  readonly places: Places;
  /** Endpoints that are not ready count, too. */
  readonly unready?: boolean;
  /** Labels between an endpoint's and the service's. */
  readonly below?: readonly string[];
  /** Addresses have names, too. */
  readonly pointers?: boolean;
}

/** Without a ready endpoint, a headless service has no name (section 2.4 of the specification: NXDOMAIN). */
export function addEndpoints(
  names: Names,
  own: Octets,
  zone: Zone,
  slices: Iterable<ObjectOf<"EndpointSlice">>,
  { places, unready = false, below = [], pointers = true }: EndpointOptions,
): void {
  let count = 0;
  for (const { value } of slices) {
    if (value.addressType === "FQDN") continue;
    for (const endpoint of value.endpoints) {
      const { addresses, conditions, hostname } = endpoint;
      if (!unready && conditions?.ready === false) continue;
      // All addresses of an endpoint are the same one's; clients may use the first alone.
      const [address] = addresses;
      if (address === undefined || count++ >= MAX_ENDPOINTS) continue;
      const host = prepend([hostname ?? addressLabel(address), ...below], own);
      if (host === undefined) continue;
      const record = addressRecord(canonical(address), places(endpoint));
      names.add(own, record, zone.services);
      names.add(host, record, zone.services);
      if (pointers) names.add(reverseOf(address), pointerRecord(host));
      for (const { name: portName = "", port, protocol } of value.ports) {
        if (portName === "" || port === undefined) continue;
        names.add(portOf(portName, protocol, own), serviceRecord(port, host), zone.services);
      }
    }
  }
}

export function portOf(name: string, protocol: string, service: Octets): Octets | undefined {
  return prepend([`_${name}`, `_${protocol}`], service);
}

/** Seconds, as `dns.mesh/ttl` says them; what is no TTL says nothing. */
export function ttlOf(annotations: { readonly "dns.mesh/ttl"?: string }, usual: number): number {
  const ttl = parseTtl(annotations["dns.mesh/ttl"] ?? "");
  return typeof ttl === "number" ? ttl : usual;
}

/** Gathers records by name; names between one and the zone that it is in are there, too. */
export class Names {
  readonly #records = new Map<Octets, RecordData[]>();
  readonly #group: Group;
  readonly #ttl: number;

  constructor(group: Group, ttl: number) {
    this.#group = group;
    this.#ttl = ttl;
  }

  add(name: Octets | undefined, record: RecordData, zone?: Octets): void {
    if (name === undefined) return;
    const records = this.#of(name);
    if (!records.some(({ type, data }) => type === record.type && data === record.data)) records.push(record);
    if (zone === undefined) return;
    // Above one that is there, all are.
    let at = parentOf(name) ?? "";
    while (at.length > zone.length && !this.#records.has(at)) {
      this.#of(at);
      at = parentOf(at) ?? "";
    }
  }

  all(wildcard = false): Contribution[] {
    return [...this.#records].map(([name, records]) => ({
      name,
      wildcard,
      group: this.#group,
      ttl: this.#ttl,
      records,
    }));
  }

  #of(name: Octets): RecordData[] {
    let records = this.#records.get(name);
    if (records === undefined) {
      records = [];
      this.#records.set(name, records);
    }
    return records;
  }
}
