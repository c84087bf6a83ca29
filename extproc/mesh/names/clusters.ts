/**
 * Services of one name in several clusters, which are one service: as Istio has it, with the address that it has in our own
 * cluster, or with the endpoints of all of them where it has none.
 */
import { inCluster } from "../sources/cluster-objects.ts";
import type { ObjectOf } from "../sources/object.ts";

type Service = ObjectOf<"Service">;
type Slice = ObjectOf<"EndpointSlice">;

/**
 * What the service is: `services` are those of each cluster, our own first. Where our own has no ready endpoint, another
 * cluster's address is given while that has one.
 */
export function mergeService(
  services: readonly Service[],
  slices: Iterable<Slice>,
): { readonly service: Service; readonly slices: Iterable<Slice> } | undefined {
  const [first, ...others] = services;
  // Slices of one cluster's service are read by who needs them: most services are found by an address of their own.
  if (first === undefined || others.length === 0) return first && { service: first, slices };
  const all = [...slices];
  const of = (service: Service) => all.filter((slice) => clusterOf(slice) === clusterOf(service));
  if (isHeadless(first)) {
    return { service: first, slices: services.filter(isHeadless).flatMap(of) };
  }
  const addressed = services.filter((service) => hasAddress(service) || service === first);
  const service = addressed.find((one) => of(one).some(isReady)) ?? first;
  return { service, slices: of(service) };
}

function clusterOf({ name }: Service | Slice): string {
  return inCluster(name).cluster;
}

function isHeadless({ value: { spec } }: Service): boolean {
  return spec.clusterIP === "None" || spec.clusterIPs.includes("None");
}

function hasAddress(service: Service): boolean {
  const { type, clusterIP = "" } = service.value.spec;
  return type !== "ExternalName" && clusterIP !== "" && !isHeadless(service);
}

function isReady({ value }: Slice): boolean {
  return value.endpoints.some(({ conditions }) => conditions?.ready !== false);
}
