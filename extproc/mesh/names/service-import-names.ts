/**
 * Services of several clusters (KEP-1645, "Multi-Cluster Services API"), below `clusterset.local`: by the address that
 * they have in all clusters, or by the endpoints that each cluster has exported.
 */
import type { ObjectOf } from "../sources/object.ts";
import { type Contribution, toGroup } from "./contribution.ts";
import { addAddresses, addEndpoints, Names, type Places, ttlOf, type Zone } from "./kubernetes-names.ts";
import { prepend } from "./wire.ts";

export const CLUSTER_SET = "clusterset.local";
/** Of an EndpointSlice: the import, and the cluster that it comes from. */
export const IMPORT_LABEL = "multicluster.kubernetes.io/service-name";
const CLUSTER_LABEL = "multicluster.kubernetes.io/source-cluster";

export function serviceImportNames(
  service: ObjectOf<"ServiceImport">,
  slices: Iterable<ObjectOf<"EndpointSlice">>,
  zone: Zone,
  places: Places,
  facets: readonly string[] = [],
): Contribution[] {
  const { namespace, name, value } = service;
  const { metadata, spec } = value;
  const own = prepend([name, namespace], zone.services);
  if (own === undefined) return [];
  const names = new Names(toGroup(namespace, [], facets), ttlOf(metadata.annotations, zone.ttl));
  if (spec.type === "Headless") {
    for (const slice of slices) {
      // Endpoints of two clusters may have one hostname. Their addresses are those of services of their clusters, too,
      // which have the names behind them.
      const cluster = slice.value.metadata.labels[CLUSTER_LABEL] ?? "";
      addEndpoints(names, own, zone, [slice], { places, below: cluster.split("."), pointers: false });
    }
    return names.all();
  }
  addAddresses(names, own, zone, spec.ips, spec.ports);
  return names.all();
}
