/**
 * What an object's value is by the schema of its kind. Most objects of a large cluster are Services and EndpointSlices as
 * Kubernetes' own controllers write them: those are told by hand, several times as fast; all others, and whatever
 * is wrong, by the schema.
 */
import { isIP } from "node:net";
import type { ZodSafeParseResult } from "zod";
import { OBJECT_SCHEMAS, type ObjectKind, type ObjectValue } from "./schema.ts";
import { ANNOTATIONS, LABEL, OBJECT_NAME, PORT_NAME } from "./schema-parts.ts";

export function readValue(kind: ObjectKind, value: unknown): ZodSafeParseResult<ObjectValue> {
  const data = readUsual(kind, value);
  return data === undefined ? OBJECT_SCHEMAS[kind].safeParse(value) : { success: true, data };
}

/** What the schema makes of it; undefined where that is for the schema to say. */
export function readUsual(kind: ObjectKind, value: unknown): ObjectValue | undefined {
  if (kind === "Service" && isUsualService(value)) return serviceOf(value);
  return kind === "EndpointSlice" && isUsualSlice(value) ? sliceOf(value) : undefined;
}

type Slice = ObjectValue<"EndpointSlice">;
type Endpoint = Slice["endpoints"][number];
type Service = ObjectValue<"Service">;
type Metadata = Service["metadata"];
type Port = Slice["ports"][number];
/** As it is written: lists and tables may be left out. */
type Written<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;
type UsualMetadata = Written<Metadata, "namespace" | "labels">;
interface UsualSlice extends Omit<Slice, "metadata" | "ports"> {
  readonly metadata: UsualMetadata;
  readonly ports?: readonly Written<Port, "protocol">[];
}
interface UsualService extends Omit<Service, "metadata" | "spec"> {
  readonly metadata: UsualMetadata;
  readonly spec: Written<Omit<Service["spec"], "ports">, "clusterIPs" | "selector"> & Pick<UsualSlice, "ports">;
}

function isUsualSlice(value: unknown): value is UsualSlice {
  if (!hasFields(value) || !isHead(value, OBJECT_NAME) || !isUsualList(value.ports, isUsualPort)) return false;
  const { addressType, endpoints } = value;
  if (!Array.isArray(endpoints)) return false;
  if (addressType === "IPv4") return endpoints.every((endpoint) => isUsualEndpoint(endpoint, 4));
  return addressType === "IPv6" && endpoints.every((endpoint) => isUsualEndpoint(endpoint, 6));
}

function isUsualEndpoint(value: unknown, version: number): value is Endpoint {
  if (!hasFields(value)) return false;
  const { addresses, conditions, hostname, nodeName, zone } = value;
  return (
    Array.isArray(addresses) &&
    addresses.every((address) => typeof address === "string" && isIP(address) === version) &&
    (conditions === undefined || (hasFields(conditions) && typeof conditions.ready === "boolean")) &&
    (hostname === undefined || (typeof hostname === "string" && LABEL.test(hostname))) &&
    (nodeName === undefined || typeof nodeName === "string") &&
    (zone === undefined || typeof zone === "string")
  );
}

function sliceOf({ apiVersion, kind, metadata, addressType, endpoints, ports = [] }: UsualSlice): Slice {
  return {
    apiVersion,
    kind,
    metadata: metadataOf(metadata),
    addressType,
    endpoints: endpoints.map(endpointOf),
    ports: ports.map(portOf),
  };
}

function endpointOf({ addresses, conditions, hostname, nodeName, zone }: Endpoint): Endpoint {
  return { addresses, conditions: conditions && { ready: conditions.ready }, hostname, nodeName, zone };
}

const TYPES: readonly unknown[] = [undefined, "ClusterIP", "NodePort", "LoadBalancer"];

/** One that nothing outside of the cluster leads to, or from. */
function isUsualService(value: unknown): value is UsualService {
  if (!hasFields(value) || !isHead(value, LABEL)) return false;
  const { spec, status } = value;
  if (!hasFields(spec) || spec.externalName !== undefined || spec.externalIPs !== undefined) return false;
  const { type, clusterIP, clusterIPs, publishNotReadyAddresses, selector, ports } = spec;
  return (
    TYPES.includes(type) &&
    (clusterIP === undefined || isClusterIP(clusterIP)) &&
    isUsualList(clusterIPs, isClusterIP) &&
    (publishNotReadyAddresses === undefined || typeof publishNotReadyAddresses === "boolean") &&
    isTable(selector) &&
    isUsualList(ports, (port) => isUsualPort(port) && port.port !== undefined) &&
    (status === undefined || (hasFields(status) && isNothing(status.loadBalancer)))
  );
}

function isClusterIP(value: unknown): value is string {
  return typeof value === "string" && (value === "" || value === "None" || isIP(value) !== 0);
}

/** A table without a field. */
function isNothing(value: unknown): boolean {
  return hasFields(value) && Object.keys(value).length === 0;
}

function serviceOf({ apiVersion, kind, metadata, spec, status }: UsualService): Service {
  const { type, clusterIP, clusterIPs = [], publishNotReadyAddresses, selector = {}, ports = [] } = spec;
  return {
    apiVersion,
    kind,
    metadata: metadataOf(metadata),
    spec: {
      type,
      clusterIP,
      clusterIPs,
      externalName: undefined,
      publishNotReadyAddresses,
      externalIPs: [],
      selector,
      ports: ports.map(portOf) as Service["spec"]["ports"],
    },
    status: status && { loadBalancer: { ingress: [] } },
  };
}

/** What every object has, without an annotation that means something to us. */
function isHead(value: Readonly<Record<string, unknown>>, nameSyntax: RegExp): boolean {
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || !hasFields(metadata)) return false;
  const { name, namespace, labels, annotations } = metadata;
  return (
    typeof name === "string" &&
    nameSyntax.test(name) &&
    (namespace === undefined || (typeof namespace === "string" && LABEL.test(namespace))) &&
    isTable(labels) &&
    (annotations === undefined || (hasFields(annotations) && !ANNOTATIONS.some((one) => one in annotations)))
  );
}

function metadataOf({ name, namespace = "default", labels = {} }: UsualMetadata): Metadata {
  return { name, namespace, labels, annotations: {} };
}

function isUsualPort(value: unknown): value is Written<Port, "protocol"> {
  if (!hasFields(value)) return false;
  const { name, port, protocol } = value;
  return (
    (name === undefined || (typeof name === "string" && (name === "" || PORT_NAME.test(name)))) &&
    (port === undefined || (Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535)) &&
    (protocol === undefined || protocol === "TCP" || protocol === "UDP" || protocol === "SCTP")
  );
}

function portOf({ name, port, protocol = "TCP" }: Written<Port, "protocol">): Port {
  return { name, port, protocol };
}

function isUsualList(value: unknown, isUsual: (item: unknown) => boolean): boolean {
  return value === undefined || (Array.isArray(value) && value.every(isUsual));
}

/** Of texts. A name that means something to JavaScript is for the schema to look at. */
function isTable(value: unknown): boolean {
  if (value === undefined) return true;
  if (!hasFields(value)) return false;
  for (const key in value) if (typeof value[key] !== "string" || key === "__proto__") return false;
  return true;
}

function hasFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
