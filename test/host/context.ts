/**
 * A context: what the guest's host functions act on. The kinds are the root of a plugin, a connection and an HTTP
 * stream; each kind knows its own buffers and headers and shares the ones of its root.
 */
import { BufferType, type Headers, MapType, type Property, Status, type StreamType } from "./abi.ts";
import { encodeText } from "./memory.ts";
import type { RootContext } from "./root-context.ts";
import type { Vm } from "./vm.ts";

/** A buffer that the guest may read and, where it can be replaced, write. */
export interface GuestBuffer {
  readonly bytes: Uint8Array;
  replace?(bytes: Uint8Array): void;
}

export interface LocalResponse {
  status: number;
  headers: Headers;
  body: Uint8Array;
  grpcStatus: number;
  details: string;
}

export abstract class Context {
  readonly id: number;
  readonly vm: Vm;
  abstract readonly root: RootContext;

  constructor(vm: Vm) {
    this.vm = vm;
    this.id = vm.allocateId();
    vm.contexts.set(this.id, this);
  }

  /** The buffer of a type; undefined where the host knows none (NotFound). */
  buffer(type: BufferType): GuestBuffer | undefined {
    const root = this.root;
    switch (type) {
      case BufferType.VmConfiguration:
        return { bytes: encodeText(root.vmConfiguration) };
      case BufferType.PluginConfiguration:
        return root.configuring ? { bytes: encodeText(root.plugin.configuration) } : undefined;
      case BufferType.HttpCallResponseBody:
        return root.httpCallResponse && { bytes: root.httpCallResponse.body };
      case BufferType.GrpcReceiveBuffer:
        return { bytes: root.grpcReceived ?? new Uint8Array() };
      case BufferType.HttpRequestBody:
      case BufferType.HttpResponseBody:
      case BufferType.NetworkDownstreamData:
      case BufferType.NetworkUpstreamData:
      case BufferType.CallData:
        return { bytes: new Uint8Array() };
    }
  }

  /** The headers of a type, undefined where there are none now. */
  headers(type: MapType): Headers | undefined {
    const root = this.root;
    switch (type) {
      case MapType.HttpCallResponseHeaders:
        return root.httpCallResponse?.headers;
      case MapType.HttpCallResponseTrailers:
        return root.httpCallResponse?.trailers;
      case MapType.GrpcReceiveInitialMetadata:
        return root.grpcInitialMetadata;
      case MapType.GrpcReceiveTrailingMetadata:
        return root.grpcTrailingMetadata;
      default:
        return undefined;
    }
  }

  /** Only the request's and the response's own headers can be changed. */
  mutableHeaders(type: MapType): Headers | undefined {
    return type <= MapType.HttpResponseTrailers ? this.headers(type) : undefined;
  }

  /** A property by its path, segments joined by dots. */
  property(path: string): Property | undefined {
    if (path === "plugin_name" || path === "plugin_root_id") return this.root.plugin.name;
    if (path === "plugin_vm_id") return this.root.vmId;
    return undefined;
  }

  continueStream(_type: StreamType): Status {
    return Status.BadArgument;
  }

  closeStream(_type: StreamType): Status {
    return Status.Ok;
  }

  sendLocalResponse(_response: LocalResponse): void {}

  /** Tells the guest that the context is gone, and forgets it. */
  protected delete(order: readonly string[]): void {
    for (const name of order) this.vm.call(this, name, [this.id], () => undefined);
    this.vm.contexts.delete(this.id);
  }
}

/** Replaces bytes of a buffer as Envoy does: put in front, replace all, append; nothing else. */
export function replaceBytes(buffer: GuestBuffer, start: number, length: number, bytes: Uint8Array): Status {
  if (!buffer.replace) return Status.BadArgument;
  const old = buffer.bytes;
  if (start === 0 && length === 0) buffer.replace(concat(bytes, old));
  else if (start === 0 && length >= old.length) buffer.replace(bytes);
  else if (start !== 0 && start >= old.length) buffer.replace(concat(old, bytes));
  else return Status.BadArgument;
  return Status.Ok;
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A property in the octets in which Envoy hands it over. */
export function encodeProperty(value: Property): Uint8Array {
  if (typeof value === "string") return encodeText(value);
  if (typeof value === "boolean") return Uint8Array.of(value ? 1 : 0);
  if (value instanceof Uint8Array) return value;
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigInt64(0, BigInt(value), true);
  return out;
}
