/**
 * Hosts of Istio's ServiceEntries: by their addresses, those of their endpoints, or a virtual address that is given to
 * them so that connections to one host can be told from those to another.
 */
import { isIP } from "node:net";
import type { ObjectOf } from "../sources/object.ts";
import { canonical, toWorkload } from "../sources/workloads.ts";
import { type Contribution, groupKey, toGroup } from "./contribution.ts";
import { Names, type Places, portOf, ttlOf } from "./kubernetes-names.ts";
import { placeOfLocality } from "./places.ts";
import { addressRecord, pointerRecord, reverseOf, serviceRecord, wireOf } from "./wire.ts";

export interface EntryContext {
  readonly ttl: number;
  /** Workloads of the entry's namespace, among which its selector chooses. */
  readonly pods: Iterable<ObjectOf<"Pod">>;
  readonly workloadEntries: Iterable<ObjectOf<"WorkloadEntry">>;
  readonly places: Places;
  /** What Sidecars tell a host by. */
  readonly facets: (host: string) => readonly string[];
  /** Addresses for a host that has none; none where there are none to give. */
  readonly virtualAddresses: (host: string) => readonly string[];
  /** Whether the endpoint was found ill by a check; by default none is looked at. */
  readonly isIll?: (check: string, address: string) => boolean;
}

/** An answer holds no more than some thousand. */
export const MAX_ENDPOINTS = 1000;

const CHECK_ANNOTATION = "dns.mesh/health-check";

export function serviceEntryNames(entry: ObjectOf<"ServiceEntry">, context: EntryContext): Contribution[] {
  const { metadata, spec } = entry.value;
  const ttl = ttlOf(metadata.annotations, context.ttl);
  const gathered = new Map<string, { readonly names: Names; readonly wildcards: Names }>();
  for (const host of spec.hosts) {
    const group = toGroup(entry.namespace, spec.exportTo, context.facets(host));
    const key = groupKey(group);
    const { names, wildcards } = gathered.get(key) ?? {
      names: new Names(group, ttl),
      wildcards: new Names(group, ttl),
    };
    gathered.set(key, { names, wildcards });
    const { addresses, source } = addressesOf(entry, host, context);
    const virtual = source === "given";
    const places = virtual ? undefined : placesOf(entry, context);
    const wildcard = host.startsWith("*");
    const own = wireOf(wildcard ? host.replace(/^\*{1,2}\./, "") : host);
    for (const address of addresses) {
      (wildcard ? wildcards : names).add(own, addressRecord(address, places?.get(address)));
      if (virtual) names.add(reverseOf(address), pointerRecord(own));
    }
    if (wildcard || addresses.length === 0) continue;
    for (const { number, name = "", protocol = "" } of spec.ports) {
      if (name !== "") names.add(portOf(name, transportOf(protocol), own), serviceRecord(number, own));
    }
  }
  return [...gathered.values()].flatMap(({ names, wildcards }) => [...names.all(), ...wildcards.all(true)]);
}

/** Whether a host of the entry may have a virtual address: it has a name of its own, and nothing else to be found by. */
export function wantsVirtualAddress({ value }: ObjectOf<"ServiceEntry">, host: string): boolean {
  const { metadata, spec } = value;
  if (host.startsWith("*") || spec.resolution === undefined || spec.resolution === "NONE") return false;
  return metadata.labels["networking.istio.io/enable-autoallocate-ip"] !== "false";
}

/** Addresses of a host: its own, as somebody wrote them or as they were given to it, or those of its endpoints. */
export function addressesOf(
  entry: ObjectOf<"ServiceEntry">,
  host: string,
  context: EntryContext,
): { readonly addresses: readonly string[]; readonly source: "written" | "given" | "endpoints" } {
  const { spec } = entry.value;
  const written = spec.addresses.filter((text) => isWhole(text)).map((text) => canonical(text.replace(/\/.*/, "")));
  if (written.length > 0) return { addresses: written, source: "written" };
  const given = givenAddresses(entry, host);
  if (given.length > 0) return { addresses: given, source: "given" };
  if (spec.resolution === "STATIC") {
    const addresses = [...placesOf(entry, context).keys()].slice(0, MAX_ENDPOINTS);
    if (addresses.length > 0) return { addresses, source: "endpoints" };
  }
  return { addresses: wantsVirtualAddress(entry, host) ? context.virtualAddresses(host) : [], source: "given" };
}

/** What Istio (1.24 and later) has put into the status; an address without a host is of the entry's every host. */
export function givenAddresses({ value }: ObjectOf<"ServiceEntry">, host: string): readonly string[] {
  const given = value.status?.addresses ?? [];
  return given.filter((one) => one.host === undefined || one.host === host).map((one) => canonical(one.value));
}

/** A network is no address that a name could have, unless it has one address alone. */
function isWhole(text: string): boolean {
  const [base = "", length] = text.split("/");
  return length === undefined || length === (isIP(base) === 4 ? "32" : "128");
}

/** Addresses of its endpoints, each with its place: of those that are well. */
function placesOf(entry: ObjectOf<"ServiceEntry">, context: EntryContext) {
  const places = new Map<string, string | undefined>();
  for (const { address, place } of wellOf(entry, context)) {
    if (!places.has(canonical(address))) places.set(canonical(address), place);
  }
  return places;
}

/**
 * Those of its endpoints with an address that are well. Where none is, all: it is likelier that who looks is cut off than that
 * all are ill at once, and a name without an address is nobody's way out.
 */
export function wellOf(entry: ObjectOf<"ServiceEntry">, context: EntryContext): readonly EntryEndpoint[] {
  const { isIll = () => false } = context;
  const all = [...endpointsOf(entry, context)].filter(({ address }) => isIP(address) !== 0);
  const well = all.filter(({ address, check }) => check === undefined || !isIll(check, canonical(address)));
  return well.length > 0 ? well : all;
}

/** What is to be looked at of the entry's endpoints. */
export function checksOf(entry: ObjectOf<"ServiceEntry">, context: EntryContext): [check: string, address: string][] {
  if (entry.value.spec.resolution !== "STATIC") return [];
  return [...endpointsOf(entry, context)].flatMap(({ address, check }): [string, string][] =>
    check === undefined || isIP(address) === 0 ? [] : [[check, canonical(address)]],
  );
}

export interface EntryEndpoint {
  /** Or a name, or the path of a socket; empty where it says none. */
  readonly address: string;
  readonly place: string | undefined;
  /** Of its own, by the names of the entry's. */
  readonly ports: Readonly<Record<string, number>>;
  /** How to look whether it is well; undefined for one that Kubernetes looks after, and where nobody said. */
  readonly check?: string | undefined;
  /** Absent, or 0: 1, as Istio has it. */
  readonly weight?: number | undefined;
}

/** Those that it lists, and workloads that it chooses. */
export function* endpointsOf(
  { value: { metadata, spec } }: ObjectOf<"ServiceEntry">,
  context: EntryContext,
): Generator<EntryEndpoint> {
  const check = metadata.annotations[CHECK_ANNOTATION];
  for (const { address = "", locality, ports, weight } of spec.endpoints) {
    yield { address, place: placeOfLocality(locality), ports, check, weight };
  }
  const selector = spec.workloadSelector?.labels;
  if (selector === undefined) return;
  for (const { value } of context.workloadEntries) {
    // An entry's labels are those of its workload, and by custom those of the object itself.
    const labels = { ...value.metadata.labels, ...value.spec.labels };
    if (!selects(selector, labels)) continue;
    const { address = "", locality, ports, weight } = value.spec;
    const own = value.metadata.annotations[CHECK_ANNOTATION];
    yield { address, place: placeOfLocality(locality), ports, check: own ?? check, weight };
  }
  for (const pod of context.pods) {
    const ready = pod.value.status?.conditions.find(({ type }) => type === "Ready")?.status;
    if (ready === "False" || !selects(selector, pod.value.metadata.labels)) continue;
    const place = context.places({ nodeName: pod.value.spec?.nodeName });
    for (const address of toWorkload(pod).addresses) yield { address, place, ports: {} };
  }
}

function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

function transportOf(protocol: string): string {
  return protocol.toUpperCase() === "UDP" ? "udp" : "tcp";
}
