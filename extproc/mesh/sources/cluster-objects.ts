/**
 * Objects of other clusters than our own: each by a name with its cluster's behind it, `NAME@CLUSTER`, which no object of
 * Kubernetes has.
 */
import type { ObjectKind, ObjectValue } from "./schema.ts";

/** What is of use of another cluster. Its tenants ask their own Envoys. */
export const OTHER_CLUSTERS_KINDS: readonly ObjectKind[] = [
  "Node",
  "Service",
  "EndpointSlice",
  "IstioGateway",
  "Gateway",
  "HTTPRoute",
];

/** An object's name, and its cluster: empty for our own. */
export function inCluster(name: string): { readonly name: string; readonly cluster: string } {
  const [own = "", cluster = ""] = name.split("@");
  return { name: own, cluster };
}

export function nameIn(name: string, cluster: string | undefined): string {
  return cluster === undefined ? name : `${name}@${cluster}`;
}

/** The name, in the cluster of another object. */
export function nameBeside(other: string, name: string): string {
  const { cluster } = inCluster(other);
  return cluster === "" ? name : nameIn(name, cluster);
}

/** With its name, and that of nodes it speaks of, as those of a cluster. */
export function valueIn(value: ObjectValue, cluster: string | undefined): ObjectValue {
  if (cluster === undefined) return value;
  const metadata = { ...value.metadata, name: nameIn(value.metadata.name, cluster) };
  if (!("endpoints" in value)) return { ...value, metadata } as ObjectValue;
  const endpoints = value.endpoints.map((endpoint) =>
    endpoint.nodeName === undefined ? endpoint : { ...endpoint, nodeName: nameIn(endpoint.nodeName, cluster) },
  );
  return { ...value, metadata, endpoints } as ObjectValue;
}
