/**
 * Whose names those at or below a zone are, as far as the mesh tells: a namespace is its tenant's, and with it its
 * Services, the hosts of its ServiceEntries and the names of its DNSEndpoints. A zone with names of several tenants, or of nobody too, has no owner.
 */
import type { MeshTables } from "../compiled/snapshot.ts";
import { presentLabels } from "../dns/names.ts";
import { zoneOf } from "../dns/zone.ts";
import { wireOf } from "./names/wire.ts";
import type { MeshObjects } from "./sources/object-store.ts";

const NOBODY = "";

/** By zone, as telemetry counts names by zones. */
export function findOwners(objects: MeshObjects, tables: MeshTables): ReadonlyMap<string, string> {
  const tenants = new Map<string, Set<string>>();
  for (const { tenant, namespaces } of tables.owners) {
    for (const namespace of namespaces) addTo(tenants, namespace, tenant);
  }
  const zones = new Map<string, Set<string>>();
  const add = (zone: string, namespace: string) => {
    for (const tenant of tenants.get(namespace) ?? [NOBODY]) addTo(zones, zone, tenant);
  };
  const addHost = (host: string, namespace: string) =>
    add(presentLabels(zoneOf(wireOf(host.replace(/^\*\./, "")))), namespace);
  for (const namespace of tenants.keys()) add(`${namespace}.svc.${tables.clusterDomain}.`, namespace);
  for (const { namespace, value } of objects.list("ServiceEntry")) {
    for (const host of value.spec.hosts) addHost(host, namespace);
  }
  for (const { namespace, value } of objects.list("DNSEndpoint")) {
    for (const { dnsName } of value.spec.endpoints) addHost(dnsName, namespace);
  }
  const owners = new Map<string, string>();
  for (const [zone, [owner = NOBODY, ...others]] of zones) {
    if (owner !== NOBODY && others.length === 0) owners.set(zone, owner);
  }
  return owners;
}

function addTo(sets: Map<string, Set<string>>, key: string, member: string): void {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set.add(member));
}
