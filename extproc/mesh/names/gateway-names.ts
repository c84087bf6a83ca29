/**
 * Hosts that a gateway takes connections for, by the gateway's addresses: of Istio's Gateway, of the Gateway API's, and of
 * the routes that are attached to that.
 */
import { isIP } from "node:net";
import type { ObjectOf } from "../sources/object.ts";
import { canonical } from "../sources/workloads.ts";
import { type Contribution, toGroup } from "./contribution.ts";
import { Names, ttlOf } from "./kubernetes-names.ts";
import { addressRecord, aliasRecord, type RecordData, TYPE_CNAME, wireOf } from "./wire.ts";

/** Addresses of the services whose pods are the gateway's. */
export function istioGatewayNames(
  gateway: ObjectOf<"IstioGateway">,
  services: Iterable<ObjectOf<"Service">>,
  usual: number,
): Contribution[] {
  const { metadata, spec } = gateway.value;
  const records: RecordData[] = [];
  for (const service of services) if (isEntranceOf(service, gateway)) records.push(...entrancesOf(service));
  const hosts = spec.servers.flatMap((server) => server.hosts.map((text) => text.replace(/^[^/]*\//, "")));
  return namesOf(gateway.namespace, hosts, records, ttlOf(metadata.annotations, usual));
}

/** Whether the service leads to the pods that the gateway chooses. */
export function isEntranceOf({ value }: ObjectOf<"Service">, gateway: ObjectOf<"IstioGateway">): boolean {
  const wanted = Object.entries(gateway.value.spec.selector);
  return wanted.length > 0 && wanted.every(([key, text]) => value.spec.selector[key] === text);
}

/** Whether a service can be reached from outside: others lead no gateway's connections. */
export function isEntrance({ value: { spec } }: ObjectOf<"Service">): boolean {
  return spec.type === "LoadBalancer" || spec.externalIPs.length > 0;
}

function entrancesOf({ value: { spec, status } }: ObjectOf<"Service">): RecordData[] {
  const given = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) =>
    ip !== undefined ? [recordOf(ip)] : hostname !== undefined ? [recordOf(hostname)] : [],
  );
  return [...given, ...spec.externalIPs.map(recordOf)];
}

export function gatewayNames(gateway: ObjectOf<"Gateway">, usual: number): Contribution[] {
  const { metadata, spec } = gateway.value;
  const hosts = spec.listeners.flatMap(({ hostname }) => hostname ?? []);
  return namesOf(gateway.namespace, hosts, recordsOf(gateway), ttlOf(metadata.annotations, usual));
}

/** `gatewayAt` finds the gateway of a parent reference. */
export function routeNames(
  route: ObjectOf<"HTTPRoute">,
  gatewayAt: (namespace: string, name: string) => ObjectOf<"Gateway"> | undefined,
  usual: number,
): Contribution[] {
  const { metadata, spec } = route.value;
  const ttl = ttlOf(metadata.annotations, usual);
  const hosts = new Map<string, RecordData[]>();
  for (const parent of parentsOf(route)) {
    const gateway = gatewayAt(parent.namespace, parent.name);
    if (gateway === undefined) continue;
    const { listeners } = gateway.value.spec;
    const attached = listeners.filter(({ name }) => parent.sectionName === undefined || parent.sectionName === name);
    for (const host of spec.hostnames) {
      for (const { hostname } of attached) {
        const common = hostname === undefined ? host : narrower(host, hostname);
        if (common !== undefined) hosts.set(common, [...(hosts.get(common) ?? []), ...recordsOf(gateway)]);
      }
    }
  }
  return [...hosts].flatMap(([host, records]) => namesOf(route.namespace, [host], records, ttl));
}

/** Gateways that a route is attached to, but for those that have refused it. */
export function parentsOf({ namespace, value: { spec, status } }: ObjectOf<"HTTPRoute">) {
  const parents = spec.parentRefs.filter(({ kind = "Gateway" }) => kind === "Gateway");
  const refused = (status?.parents ?? []).filter(({ conditions }) =>
    conditions.some(({ type, status: state }) => type === "Accepted" && state === "False"),
  );
  const isSame = (a: (typeof parents)[number], b: (typeof parents)[number]) =>
    a.name === b.name && (a.namespace ?? namespace) === (b.namespace ?? namespace) && a.sectionName === b.sectionName;
  return parents
    .filter((parent) => !refused.some(({ parentRef }) => isSame(parentRef, parent)))
    .map((parent) => ({ ...parent, namespace: parent.namespace ?? namespace }));
}

/** The names that both have, where one of them covers the other: of `*.example` and `a.example`, the latter. */
function narrower(a: string, b: string): string | undefined {
  if (a === b || covers(b, a)) return a;
  return covers(a, b) ? b : undefined;
}

function covers(wildcard: string, name: string): boolean {
  return wildcard.startsWith("*.") && name.endsWith(wildcard.slice(1));
}

function recordsOf({ value: { status } }: ObjectOf<"Gateway">): RecordData[] {
  return (status?.addresses ?? []).filter(({ value }) => value !== "").map(({ value }) => recordOf(value));
}

function recordOf(text: string): RecordData {
  return isIP(text) === 0 ? aliasRecord(wireOf(text)) : addressRecord(canonical(text));
}

/** A name is either an alias or has addresses (RFC 1034, section 3.6.2): addresses are kept, or else the first alias. */
function namesOf(namespace: string, hosts: readonly string[], records: RecordData[], ttl: number): Contribution[] {
  const addresses = records.filter(({ type }) => type !== TYPE_CNAME);
  const kept = addresses.length > 0 ? addresses : records.slice(0, 1);
  const group = toGroup(namespace, []);
  const names = new Names(group, ttl);
  const wildcards = new Names(group, ttl);
  for (const host of hosts) {
    if (host === "*") continue;
    const into = host.startsWith("*.") ? wildcards : names;
    for (const record of kept) into.add(wireOf(host.replace(/^\*\./, "")), record);
  }
  return [...names.all(), ...wildcards.all(true)];
}
