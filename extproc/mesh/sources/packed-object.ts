/**
 * Objects of which a cluster has a hundred thousand, as a text or two each: what is read of them once, or once in a while,
 * is one thing in memory where the object is a hundred.
 */
import { isDeepStrictEqual } from "node:util";
import type { MeshObject, ObjectKey, ObjectOf } from "./object.ts";
import type { ObjectKind } from "./schema.ts";

type Endpoint = ObjectOf<"EndpointSlice">["value"]["endpoints"][number];
/** Its fields in their order: their names would be most of the text. */
type Row = [Endpoint["addresses"], ready: Is<boolean>, hostname: Is<string>, nodeName: Is<string>, zone: Is<string>];
/** In a text, what is not there is null. */
type Is<T> = T | undefined | null;

abstract class PackedObject<K extends ObjectKind> implements ObjectKey {
  readonly kind: K;
  readonly namespace: string;
  readonly name: string;
  readonly text: string;

  constructor({ kind, namespace, name }: ObjectKey & { readonly kind: K }, text: string) {
    this.kind = kind;
    this.namespace = namespace;
    this.name = name;
    this.text = text;
  }

  /** Another one each time. */
  abstract get value(): ObjectOf<K>["value"];

  /** Of one that has the same key. */
  saysTheSameAs(other: this): boolean {
    return this.text === other.text;
  }
}

class PackedService extends PackedObject<"Service"> {
  constructor(service: ObjectOf<"Service">) {
    super(service, JSON.stringify(service.value));
  }

  get value(): ObjectOf<"Service">["value"] {
    return JSON.parse(this.text);
  }
}

class PackedSlice extends PackedObject<"EndpointSlice"> {
  readonly endpoints: string;

  constructor(slice: ObjectOf<"EndpointSlice">) {
    const { endpoints, ...others } = slice.value;
    super(slice, JSON.stringify(others));
    this.endpoints = JSON.stringify(endpoints.map(toRow));
  }

  /** Its endpoints are read when they are asked for: of most slices, whose they are is all that matters. */
  get value(): ObjectOf<"EndpointSlice">["value"] {
    const { endpoints } = this;
    return {
      ...JSON.parse(this.text),
      get endpoints() {
        return JSON.parse(endpoints).map(toEndpoint);
      },
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

function toRow({ addresses, conditions, hostname, nodeName, zone }: Endpoint): Row {
  return [addresses, conditions?.ready, hostname, nodeName, zone];
}

function toEndpoint([addresses, ready, hostname, nodeName, zone]: Row): Endpoint {
  return {
    addresses,
    conditions: typeof ready === "boolean" ? { ready } : undefined,
    hostname: hostname ?? undefined,
    nodeName: nodeName ?? undefined,
    zone: zone ?? undefined,
  };
}
