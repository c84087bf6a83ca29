/**
 * Hosts of Istio's ServiceEntries: by their addresses, those of their endpoints, or a virtual address that is given to
 * them so that connections to one host can be told from those to another.
 */
import { isIP } from "node:net";
import type { ObjectOf } from "../sources/object.ts";
import { canonical, toWorkload } from "../sources/workloads.ts";
import { type Contribution, toGroup } from "./contribution.ts";
import { Names, portOf, ttlOf } from "./kubernetes-names.ts";
import { addressRecord, pointerRecord, reverseOf, serviceRecord, wireOf } from "./wire.ts";

export interface EntryContext {
  readonly ttl: number;
  /** Workloads of the entry's namespace, among which its selector chooses. */
  readonly pods: Iterable<ObjectOf<"Pod">>;
  readonly workloadEntries: Iterable<ObjectOf<"WorkloadEntry">>;
  /** Addresses for a host that has none; none where there are none to give. */
  readonly virtualAddresses: (host: string) => readonly string[];
}

/** An answer holds no more than some thousand. */
const MAX_ENDPOINTS = 1000;

export function serviceEntryNames(entry: ObjectOf<"ServiceEntry">, context: EntryContext): Contribution[] {
  const { metadata, spec } = entry.value;
  const group = toGroup(entry.namespace, spec.exportTo);
  const ttl = ttlOf(metadata.annotations, context.ttl);
  const names = new Names(group, ttl);
  const wildcards = new Names(group, ttl);
  for (const host of spec.hosts) {
    const { addresses, virtual } = addressesOf(entry, host, context);
    const wildcard = host.startsWith("*");
    const own = wireOf(wildcard ? host.replace(/^\*{1,2}\./, "") : host);
    for (const address of addresses) {
      (wildcard ? wildcards : names).add(own, addressRecord(address));
      if (virtual) names.add(reverseOf(address), pointerRecord(own));
    }
    if (wildcard || addresses.length === 0) continue;
    for (const { number, name = "", protocol = "" } of spec.ports) {
      if (name !== "") names.add(portOf(name, transportOf(protocol), own), serviceRecord(number, own));
    }
  }
  return [...names.all(), ...wildcards.all(true)];
}

/** Whether a host of the entry may have a virtual address: it has a name of its own, and nothing else to be found by. */
export function wantsVirtualAddress({ value }: ObjectOf<"ServiceEntry">, host: string): boolean {
  const { metadata, spec } = value;
  if (host.startsWith("*") || spec.resolution === undefined || spec.resolution === "NONE") return false;
  return metadata.labels["networking.istio.io/enable-autoallocate-ip"] !== "false";
}

function addressesOf(
  entry: ObjectOf<"ServiceEntry">,
  host: string,
  context: EntryContext,
): { readonly addresses: readonly string[]; readonly virtual: boolean } {
  const { spec } = entry.value;
  const written = spec.addresses.filter((text) => isWhole(text)).map((text) => canonical(text.replace(/\/.*/, "")));
  if (written.length > 0) return { addresses: written, virtual: false };
  const given = givenAddresses(entry, host);
  if (given.length > 0) return { addresses: given, virtual: true };
  if (spec.resolution === "STATIC") {
    const addresses = endpointsOf(entry, context);
    if (addresses.length > 0) return { addresses, virtual: false };
  }
  return { addresses: wantsVirtualAddress(entry, host) ? context.virtualAddresses(host) : [], virtual: true };
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

function endpointsOf({ value: { spec } }: ObjectOf<"ServiceEntry">, context: EntryContext): readonly string[] {
  const addresses = spec.endpoints.map(({ address }) => address ?? "");
  const selector = spec.workloadSelector?.labels;
  if (selector !== undefined) {
    for (const { value } of context.workloadEntries) {
      // An entry's labels are those of its workload, and by custom those of the object itself.
      const labels = { ...value.metadata.labels, ...value.spec.labels };
      if (selects(selector, labels)) addresses.push(value.spec.address ?? "");
    }
    for (const pod of context.pods) {
      const ready = pod.value.status?.conditions.find(({ type }) => type === "Ready")?.status;
      if (ready !== "False" && selects(selector, pod.value.metadata.labels))
        addresses.push(...toWorkload(pod).addresses);
    }
  }
  const known = addresses.filter((address) => isIP(address) !== 0).map(canonical);
  return [...new Set(known)].slice(0, MAX_ENDPOINTS);
}

function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

function transportOf(protocol: string): string {
  return protocol.toUpperCase() === "UDP" ? "udp" : "tcp";
}
