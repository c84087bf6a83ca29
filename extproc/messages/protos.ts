/**
 * Messages and methods of protos/ and of Envoy, by their full names.
 *
 * Encoders and decoders are protobufjs' own, compiled once: no copy into plain objects before or after. What they
 * give has the defaults of absent fields on its prototype, enums as numbers and 64-bit numbers as Long, which is
 * what the types in gen/types say.
 */
import type { deserialize as Deserialize, MethodDefinition, serialize as Serialize } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { envoys, small, smallPackages } from "../gen/descriptors.ts";

/** Each is made where one of it is asked for: Envoy's are many, and most threads never speak to an Envoy. */
const rootOfSmall = rootFrom(small);
const rootOfEnvoys = rootFrom(envoys);

function rootFrom(json: string): () => protobuf.Root {
  let root: protobuf.Root | undefined;
  return () => {
    if (root !== undefined) return root;
    root = protobuf.Root.fromJSON(JSON.parse(json) as protobuf.INamespace);
    root.resolveAll();
    return root;
  };
}

/** Where what has this full name is. */
function rootOf(name: string): protobuf.Root {
  return smallPackages.some((each) => name.startsWith(`${each}.`)) ? rootOfSmall() : rootOfEnvoys();
}

export function typeOf(name: string): protobuf.Type {
  return rootOf(name).lookupType(name);
}

export interface MessageType<In, Out> {
  readonly name: string;
  encode(message: In): Buffer;
  decode(bytes: Uint8Array): Out;
}

export function messageType<In, Out>(name: string): MessageType<In, Out> {
  return wrap(typeOf(name));
}

function wrap<In, Out>(type: protobuf.Type): MessageType<In, Out> {
  return {
    name: type.fullName.slice(1),
    encode: (message) => toBuffer(type.encode(message as Record<string, unknown>).finish()),
    decode: (bytes) => type.decode(bytes) as unknown as Out,
  };
}

/** One method of a service, for servers and clients of grpc-js. */
export function method<RequestIn, RequestOut, ResponseIn, ResponseOut>(
  service: string,
  name: string,
): MethodDefinition<RequestIn | RequestOut, ResponseIn | ResponseOut> {
  const { resolvedRequestType, resolvedResponseType, requestStream, responseStream } = resolveMethod(service, name);
  const request = wrap<unknown, RequestOut>(resolvedRequestType);
  const response = wrap<unknown, ResponseOut>(resolvedResponseType);
  return {
    path: `/${service}/${name}`,
    requestStream,
    responseStream,
    requestSerialize: request.encode as Serialize<RequestIn | RequestOut>,
    requestDeserialize: request.decode as Deserialize<RequestIn | RequestOut>,
    responseSerialize: response.encode as Serialize<ResponseIn | ResponseOut>,
    responseDeserialize: response.decode as Deserialize<ResponseIn | ResponseOut>,
  };
}

function resolveMethod(service: string, name: string) {
  const found = rootOf(service).lookupService(service).methods[name];
  found?.resolve();
  if (!found?.resolvedRequestType || !found.resolvedResponseType) {
    throw new Error(`expected a method of the protos, got ${service}/${name}`);
  }
  return {
    resolvedRequestType: found.resolvedRequestType,
    resolvedResponseType: found.resolvedResponseType,
    requestStream: found.requestStream === true,
    responseStream: found.responseStream === true,
  };
}

/** A google.protobuf.Any of a message. Fields that the type does not have are refused: protobufjs drops them. */
export function pack(typeName: string, message: Record<string, unknown>): { type_url: string; value: Buffer } {
  const type = typeOf(typeName);
  checkFields(type, message, typeName);
  return {
    type_url: `type.googleapis.com/${typeName}`,
    value: toBuffer(type.encode(type.fromObject(message)).finish()),
  };
}

function checkFields(type: protobuf.Type, message: Record<string, unknown>, path: string): void {
  for (const [name, value] of Object.entries(message)) {
    const field = type.fields[name]?.resolve();
    if (field === undefined) throw new Error(`expected a field of ${type.fullName}, got ${path}.${name}`);
    if (!(field.resolvedType instanceof protobuf.Type)) continue;
    const single = field.map ? Object.values(value as object) : field.repeated ? (value as unknown[]) : [value];
    for (const item of single) {
      checkFields(field.resolvedType, item as Record<string, unknown>, `${path}.${name}`);
    }
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
