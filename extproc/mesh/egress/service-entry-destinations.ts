/**
 * Where connections go to the virtual addresses of a ServiceEntry's hosts.
 */
import { isIP } from "node:net";
import {
  addressesOf,
  type EntryContext,
  type EntryEndpoint,
  endpointsOf,
  MAX_ENDPOINTS,
  wellOf,
} from "../names/service-entry-names.ts";
import type { ObjectOf } from "../sources/object.ts";
import { canonical } from "../sources/workloads.ts";
import type { Destination } from "./destination.ts";

export interface DestinationContext extends EntryContext {
  /** Whether the address is of those that we give: Envoy would connect to itself. */
  readonly isVirtual: (address: string) => boolean;
}

/** Envoy refuses a cluster whose endpoints' weights are more than 32 bits in all. */
const MAX_WEIGHT = 1_000_000;

type Entry = ObjectOf<"ServiceEntry">;

export function serviceEntryDestinations(entry: Entry, context: DestinationContext): Destination[] {
  const { resolution, ports, hosts } = entry.value.spec;
  if (resolution === undefined || resolution === "NONE" || resolution === "DYNAMIC_DNS") return [];
  const byName = resolution !== "STATIC";
  return hosts.flatMap((host) => {
    const { addresses, source } = addressesOf(entry, host, context);
    if (source === "endpoints" || addresses.length === 0) return [];
    const endpoints = endpointsFor(entry, host, context);
    const rotates = resolution === "DNS_ROUND_ROBIN" && endpoints.length === 1;
    const streams = ports.filter(({ protocol = "" }) => protocol.toUpperCase() !== "UDP");
    return streams.map(({ number, name = "", targetPort }) => ({
      id: `${entry.namespace}/${entry.name}/${host}/${number}`,
      addresses,
      port: number,
      resolution: !byName ? "addresses" : rotates ? "names in turn" : "names",
      endpoints: endpoints.map(({ address, ports: own, weight }) => ({
        address,
        port: own[name] ?? (targetPort || number),
        weight: Math.min(weight || 1, MAX_WEIGHT),
      })),
    }));
  });
}

/** Those that are well, as far as anybody looks; where it has none and names may be asked for, the host itself. */
function endpointsFor(entry: Entry, host: string, context: DestinationContext): readonly EntryEndpoint[] {
  const byName = entry.value.spec.resolution !== "STATIC";
  const endpoints = byName ? [...endpointsOf(entry, context)] : wellOf(entry, context);
  if (endpoints.length === 0 && byName && !host.startsWith("*"))
    return [{ address: host, place: undefined, ports: {} }];
  return endpoints.slice(0, MAX_ENDPOINTS).filter(({ address }) => {
    if (isIP(address) === 0) return address !== "" && !address.startsWith("unix:");
    return !context.isVirtual(canonical(address));
  });
}
