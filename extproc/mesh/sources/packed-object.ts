/**
 * Objects of which a cluster has a hundred thousand, as a text or two each: what is read of them once, or once in a while,
 * is one thing in memory where the object is a hundred.
 */
import { isDeepStrictEqual } from "node:util";
import { FOREIGN_KINDS } from "../../resources/foreign-kinds.ts";
import type { MeshObject, ObjectKey, ObjectOf } from "./object.ts";
import type { ObjectKind } from "./schema.ts";

type Service = ObjectOf<"Service">["value"];
type Slice = ObjectOf<"EndpointSlice">["value"];
type Endpoint = Slice["endpoints"][number];
/** In a text, what is not there is null. */
type Is<T> = T | undefined | null;
/** Fields in their order: their names would be most of the text. */
type PortRow = readonly [name: Is<string>, port: Is<number>, protocol: Service["spec"]["ports"][number]["protocol"]];
type MetadataRow = readonly [labels: Service["metadata"]["labels"], annotations: Service["metadata"]["annotations"]];
type ServiceRow = readonly [
  ...MetadataRow,
  type: Is<Service["spec"]["type"]>,
  clusterIP: Is<string>,
  clusterIPs: readonly string[],
  externalName: Is<string>,
  publishNotReadyAddresses: Is<boolean>,
  externalIPs: readonly string[],
  selector: Service["spec"]["selector"],
  ports: readonly PortRow[],
  status: Is<Service["status"]>,
];
type SliceRow = readonly [...MetadataRow, addressType: Slice["addressType"], ports: readonly PortRow[]];
/** Of all endpoints in one: of each its addresses (or its only one), whether it is ready, its host name, node and zone. */
type EndpointRow = readonly (Endpoint["addresses"] | Is<string | boolean>)[];
const ENDPOINT_FIELDS = 5;

/** Whoever looks at an object asks for its value several times. */
let lastRead: { readonly object: object; readonly value: unknown } | undefined;

abstract class PackedObject<K extends ObjectKind> implements ObjectKey {
  readonly kind: K;
  readonly namespace: string;
  readonly name: string;
  readonly text: string;

  constructor({ kind, namespace, name }: ObjectKey & { readonly kind: K }, row: readonly unknown[]) {
    this.kind = kind;
    this.namespace = namespace;
    this.name = name;
    this.text = JSON.stringify(row);
  }

  get value(): ObjectOf<K>["value"] {
    if (lastRead?.object !== this) lastRead = { object: this, value: this.read() };
    return lastRead.value as ObjectOf<K>["value"];
  }

  protected abstract read(): ObjectOf<K>["value"];

  /** Of one that has the same key. */
  saysTheSameAs(other: this): boolean {
    return this.text === other.text;
  }
}

class PackedService extends PackedObject<"Service"> {
  constructor(service: ObjectOf<"Service">) {
    const { metadata, spec, status } = service.value;
    super(service, [
      metadata.labels,
      metadata.annotations,
      spec.type,
      spec.clusterIP,
      spec.clusterIPs,
      spec.externalName,
      spec.publishNotReadyAddresses,
      spec.externalIPs,
      spec.selector,
      spec.ports.map(toPortRow),
      status,
    ] satisfies ServiceRow);
  }

  protected read(): Service {
    const row: ServiceRow = JSON.parse(this.text);
    const [labels, annotations, type, clusterIP, clusterIPs, externalName, unready, externalIPs, selector, ports] = row;
    const { namespace, name } = this;
    const spec = {
      type: type ?? undefined,
      clusterIP: clusterIP ?? undefined,
      clusterIPs: [...clusterIPs],
      externalName: externalName ?? undefined,
      publishNotReadyAddresses: unready ?? undefined,
      externalIPs: [...externalIPs],
      selector,
      ports: ports.map(toPort) as Service["spec"]["ports"],
    };
    const metadata = { name, namespace, labels, annotations };
    return { apiVersion: apiVersionOf("Service"), kind: this.kind, metadata, spec, status: row[10] ?? undefined };
  }
}

class PackedSlice extends PackedObject<"EndpointSlice"> {
  readonly endpoints: string;

  constructor(slice: ObjectOf<"EndpointSlice">) {
    const { metadata, addressType, endpoints, ports } = slice.value;
    const row: SliceRow = [metadata.labels, metadata.annotations, addressType, ports.map(toPortRow)];
    super(slice, row);
    this.endpoints = JSON.stringify(toEndpointRow(endpoints));
  }

  /** Its endpoints are read when they are asked for: of most slices, whose they are is all that matters. */
  protected read(): Slice {
    const [labels, annotations, addressType, ports]: SliceRow = JSON.parse(this.text);
    const { namespace, name, endpoints } = this;
    return {
      apiVersion: apiVersionOf("EndpointSlice"),
      kind: this.kind,
      metadata: { name, namespace, labels, annotations },
      addressType,
      get endpoints() {
        return toEndpoints(JSON.parse(endpoints));
      },
      ports: ports.map(toPort),
    };
  }

  override saysTheSameAs(other: this): boolean {
    return this.text === other.text && this.endpoints === other.endpoints;
  }
}

/** As it is kept. */
export function pack(object: MeshObject): MeshObject {
  if (object instanceof PackedObject) return object;
  if (object.kind === "Service") return new PackedService(object);
  return object.kind === "EndpointSlice" ? new PackedSlice(object) : object;
}

/** Of two that are kept, and have the same key. */
export function saysTheSame(a: MeshObject, b: MeshObject): boolean {
  if (a instanceof PackedObject && b instanceof PackedObject) return a.saysTheSameAs(b);
  return isDeepStrictEqual(a.value, b.value);
}

/** Of kinds that have one alone. */
function apiVersionOf(kind: "Service" | "EndpointSlice"): string {
  return FOREIGN_KINDS[kind].apiVersions[0];
}

function toPortRow({ name, port, protocol }: Slice["ports"][number]): PortRow {
  return [name, port, protocol];
}

function toPort([name, port, protocol]: PortRow): Slice["ports"][number] {
  return { name: name ?? undefined, port: port ?? undefined, protocol };
}

function toEndpointRow(endpoints: readonly Endpoint[]): EndpointRow {
  const row: EndpointRow[number][] = [];
  for (const { addresses, conditions, hostname, nodeName, zone } of endpoints) {
    const [only, ...others] = addresses;
    row.push(only !== undefined && others.length === 0 ? only : addresses, conditions?.ready, hostname, nodeName, zone);
  }
  return row;
}

function toEndpoints(row: EndpointRow): Endpoint[] {
  return Array.from({ length: row.length / ENDPOINT_FIELDS }, (_, index) => {
    const at = index * ENDPOINT_FIELDS;
    const [addresses, ready, hostname, nodeName, zone] = row.slice(at, at + ENDPOINT_FIELDS);
    return {
      addresses: Array.isArray(addresses) ? addresses : [addresses as string],
      conditions: typeof ready === "boolean" ? { ready } : undefined,
      hostname: (hostname as Is<string>) ?? undefined,
      nodeName: (nodeName as Is<string>) ?? undefined,
      zone: (zone as Is<string>) ?? undefined,
    };
  });
}
