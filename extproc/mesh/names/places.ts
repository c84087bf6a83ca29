/**
 * Where something runs: region and zone, as labels of nodes say it (topology.kubernetes.io), `REGION/ZONE`.
 */
import type { MeshObjects } from "../sources/object-store.ts";
import type { RecordData } from "./wire.ts";

const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";

/** Of an endpoint; undefined where nothing is known. */
export function placeOf(
  objects: MeshObjects,
  { nodeName, zone }: { readonly nodeName?: string | undefined; readonly zone?: string | undefined },
): string | undefined {
  const labels = nodeName === undefined ? undefined : objects.get("Node", "", nodeName)?.value.metadata.labels;
  return toPlace(labels?.[REGION], zone ?? labels?.[ZONE]);
}

/** Of an Envoy by its node's id: the name of the Kubernetes node that it runs on, or `NAMESPACE/NAME` of its pod. */
export function placeOfEnvoy(objects: MeshObjects, id: string): string | undefined {
  const [namespace = "", name] = id.split("/");
  const nodeName = name === undefined ? id : objects.get("Pod", namespace, name)?.value.spec?.nodeName;
  return placeOf(objects, { nodeName });
}

/** Istio's locality, `REGION/ZONE/SUBZONE`. */
export function placeOfLocality(locality: string | undefined): string | undefined {
  const [region, zone] = (locality ?? "").split("/");
  return toPlace(region, zone);
}

function toPlace(region = "", zone = ""): string | undefined {
  return region === "" && zone === "" ? undefined : `${region}/${zone}`;
}

/** Those of the nearest places first; and how many these are, 0 where none is nearer than another. */
export function nearestFirst(
  records: readonly RecordData[],
  own: string | undefined,
): { readonly records: readonly RecordData[]; readonly near: number } {
  if (own === undefined || records.every(({ place }) => place === undefined)) return { records, near: 0 };
  const rank = ({ place }: RecordData) =>
    place === own ? 0 : place !== undefined && regionOf(place) !== "" && regionOf(place) === regionOf(own) ? 1 : 2;
  const sorted = [...records].sort((a, b) => rank(a) - rank(b));
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (first === undefined || last === undefined || rank(first) === rank(last)) return { records: sorted, near: 0 };
  return { records: sorted, near: sorted.filter((record) => rank(record) === rank(first)).length };
}

function regionOf(place: string): string {
  return place.slice(0, place.indexOf("/"));
}
