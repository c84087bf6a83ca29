/**
 * What is packed for Envoy, as plain objects.
 */
import { typeOf } from "../../../extproc/messages/protos.ts";

interface Packed {
  readonly type_url: string;
  readonly value: Uint8Array;
}

/** Plain objects, with what is packed unpacked. */
export function unpack({ type_url, value }: Packed): Record<string, unknown> {
  const type = typeOf(type_url.slice(type_url.indexOf("/") + 1));
  return expand(type.toObject(type.decode(value), { longs: Number, enums: String })) as Record<string, unknown>;
}

export function names(resources: readonly Packed[]): unknown[] {
  return resources.map((resource) => unpack(resource).name);
}

function expand(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString();
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== "object" || value === null) return value;
  if ("type_url" in value && "value" in value) return unpack(value as Packed);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, expand(each)]));
}
