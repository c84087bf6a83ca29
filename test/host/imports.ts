/**
 * The functions of module `env`: what a guest may ask of its host. Answers and quirks are those of Envoy's host.
 */
import { BufferType, type Headers, MapType, MetricType, Status, StreamType } from "./abi.ts";
import { GrpcStream, HttpCall, headerOf } from "./callouts.ts";
import { type Context, encodeProperty, replaceBytes } from "./context.ts";
import type { HostState } from "./host.ts";
import { decodePairs, encodeLatin1, encodePairs, encodeText } from "./memory.ts";

/** Host functions get signed numbers; addresses, sizes and ids are not. */
const u32 = (value: number): number => value >>> 0;

type HostFunction = (...values: number[]) => Status;
type WideFunction = (first: number, second: bigint) => Status;

export function envImports(state: HostState): Record<string, HostFunction | WideFunction> {
  const { vm, metrics, shared } = state;
  const text = (pointer: number, size: number) => vm.memory.readText(u32(pointer), u32(size));
  const bytes = (pointer: number, size: number) => vm.memory.read(u32(pointer), u32(size));
  const pairs = (pointer: number, size: number): Headers | undefined => {
    const read = bytes(pointer, size);
    return read && decodePairs(read);
  };
  const stored = (ok: boolean) => (ok ? Status.Ok : Status.InvalidMemoryAccess);
  const give = (value: Uint8Array, pointerTo: number, sizeTo: number) =>
    stored(vm.memory.give(value, u32(pointerTo), u32(sizeTo)));

  const narrow: Record<string, (...values: number[]) => Status> = {
    proxy_log(level = 0, pointer = 0, size = 0) {
      const message = text(pointer, size);
      if (level > 5) return Status.BadArgument;
      if (message === undefined) return Status.InvalidMemoryAccess;
      state.logs.push({ level, message });
      return Status.Ok;
    },
    proxy_get_log_level: (pointer = 0) => stored(vm.memory.writeU32(u32(pointer), state.logLevel)),
    proxy_get_current_time_nanoseconds: (pointer = 0) =>
      stored(vm.memory.writeU64(u32(pointer), state.clock.wallNanoseconds)),
    proxy_set_tick_period_milliseconds(period = 0) {
      const root = vm.context.root;
      root.tickMs = u32(period);
      root.nextTickMs = root.tickMs === 0 ? Number.POSITIVE_INFINITY : state.clock.elapsedMs + root.tickMs;
      return Status.Ok;
    },
    proxy_set_effective_context: (id = 0) => (vm.setEffective(u32(id)) ? Status.Ok : Status.BadArgument),
    proxy_done: () => Status.NotFound,
    proxy_call_foreign_function: () => Status.NotFound,

    proxy_get_property(path = 0, pathSize = 0, pointerTo = 0, sizeTo = 0) {
      const read = bytes(path, pathSize);
      if (!read) return Status.InvalidMemoryAccess;
      const segments = new TextDecoder().decode(read).split("\0").filter(Boolean);
      const value = vm.context.property(segments.join("."));
      return value === undefined ? Status.NotFound : give(encodeProperty(value), pointerTo, sizeTo);
    },

    proxy_get_buffer_bytes(type = 0, start = 0, length = 0, pointerTo = 0, sizeTo = 0) {
      if (u32(type) > BufferType.CallData) return Status.BadArgument;
      const buffer = vm.context.buffer(type);
      if (!buffer) return Status.NotFound;
      const from = u32(start);
      // A read past the end is no error: the guest is given what there is, and a null pointer for nothing.
      const part = from > buffer.bytes.length ? new Uint8Array() : buffer.bytes.slice(from, from + u32(length));
      return give(part, pointerTo, sizeTo);
    },
    proxy_get_buffer_status(type = 0, lengthTo = 0, flagsTo = 0) {
      if (u32(type) > BufferType.CallData) return Status.BadArgument;
      const buffer = vm.context.buffer(type);
      if (!buffer) return Status.NotFound;
      const length = vm.memory.writeU32(u32(lengthTo), buffer.bytes.length);
      return stored(length && vm.memory.writeU32(u32(flagsTo), 0));
    },
    proxy_set_buffer_bytes(type = 0, start = 0, length = 0, pointer = 0, size = 0) {
      if (u32(type) > BufferType.CallData) return Status.BadArgument;
      const buffer = vm.context.buffer(type);
      if (!buffer) return Status.NotFound;
      const data = bytes(pointer, size);
      return data ? replaceBytes(buffer, u32(start), u32(length), data) : Status.InvalidMemoryAccess;
    },

    proxy_get_header_map_pairs(type = 0, pointerTo = 0, sizeTo = 0) {
      if (u32(type) > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      const headers = vm.context.headers(type) ?? [];
      return give(headers.length > 0 ? encodePairs(headers) : new Uint8Array(), pointerTo, sizeTo);
    },
    proxy_get_header_map_value(type = 0, key = 0, keySize = 0, pointerTo = 0, sizeTo = 0) {
      const headers = mapOf(vm.context, type, false);
      if (!headers) return Status.BadArgument;
      const name = text(key, keySize);
      if (name === undefined) return Status.InvalidMemoryAccess;
      const value = headerOf(headers, name.toLowerCase());
      return value === undefined ? Status.NotFound : give(encodeLatin1(value), pointerTo, sizeTo);
    },
    proxy_get_header_map_size(type = 0, sizeTo = 0) {
      const headers = mapOf(vm.context, type, true);
      if (!headers) return Status.BadArgument;
      return stored(vm.memory.writeU32(u32(sizeTo), headers.flat().join("").length));
    },
    proxy_set_header_map_pairs(type = 0, pointer = 0, size = 0) {
      const headers = mapOf(vm.context, type, true);
      const wanted = pairs(pointer, size);
      if (!headers) return Status.BadArgument;
      if (!wanted) return Status.InvalidMemoryAccess;
      headers.splice(
        0,
        headers.length,
        ...wanted.map(([name, value]): [string, string] => [name.toLowerCase(), value]),
      );
      return Status.Ok;
    },
    proxy_add_header_map_value: (type = 0, key = 0, keySize = 0, value = 0, valueSize = 0) =>
      change(type, text(key, keySize), text(value, valueSize), false),
    proxy_replace_header_map_value: (type = 0, key = 0, keySize = 0, value = 0, valueSize = 0) =>
      change(type, text(key, keySize), text(value, valueSize), true),
    proxy_remove_header_map_value(type = 0, key = 0, keySize = 0) {
      const headers = mapOf(vm.context, type, true);
      const name = text(key, keySize)?.toLowerCase();
      if (!headers) return Status.BadArgument;
      const kept = headers.filter(([each]) => each !== name);
      headers.splice(0, headers.length, ...kept);
      return Status.Ok;
    },

    proxy_continue_stream: (type = 0) =>
      u32(type) > StreamType.Upstream ? Status.BadArgument : vm.context.continueStream(type),
    proxy_close_stream: (type = 0) =>
      u32(type) > StreamType.Upstream ? Status.BadArgument : vm.context.closeStream(type),
    proxy_send_local_response(status = 0, details = 0, detailsSize = 0, body = 0, bodySize = 0, ...rest) {
      const [headers = 0, headersSize = 0, grpcStatus = 0] = rest;
      const [detailsText, bodyBytes, extra] = [
        text(details, detailsSize),
        bytes(body, bodySize),
        pairs(headers, headersSize),
      ];
      if (detailsText === undefined || !bodyBytes || !extra) return Status.InvalidMemoryAccess;
      vm.context.sendLocalResponse({ status, headers: extra, body: bodyBytes, grpcStatus, details: detailsText });
      vm.stopNextIteration = true;
      return Status.Ok;
    },

    proxy_http_call(uri = 0, uriSize = 0, headers = 0, headersSize = 0, body = 0, bodySize = 0, ...rest) {
      const [trailers = 0, trailersSize = 0, timeout = 0, tokenTo = 0] = rest;
      const root = vm.context.root;
      const [cluster, wanted, data] = [text(uri, uriSize), pairs(headers, headersSize), bytes(body, bodySize)];
      if (cluster === undefined || !wanted || !data || !pairs(trailers, trailersSize))
        return Status.InvalidMemoryAccess;
      if (!vm.memory.writeU32(u32(tokenTo), 0)) return Status.InvalidMemoryAccess;
      if (timeout < 0 || !state.clusters(cluster)) return Status.BadArgument;
      if (![":path", ":method", ":authority"].every((name) => headerOf(wanted, name))) return Status.BadArgument;
      const token = state.nextToken(0);
      const deadline = timeout === 0 ? Number.POSITIVE_INFINITY : state.clock.elapsedMs + timeout;
      const call = new HttpCall(root, token, cluster, wanted, data, deadline);
      root.httpCalls.set(token, call);
      vm.memory.writeU32(u32(tokenTo), token);
      state.onHttpCall(call);
      return Status.Ok;
    },
    proxy_grpc_stream(service = 0, serviceSize = 0, name = 0, nameSize = 0, method = 0, methodSize = 0, ...rest) {
      const [metadata = 0, metadataSize = 0, tokenTo = 0] = rest;
      const root = vm.context.root;
      const [cluster, serviceName, methodName] = [
        text(service, serviceSize),
        text(name, nameSize),
        text(method, methodSize),
      ];
      const wanted = pairs(metadata, metadataSize);
      if (cluster === undefined || serviceName === undefined || methodName === undefined || !wanted)
        return Status.InvalidMemoryAccess;
      if (!state.clusters(cluster)) return Status.ParseFailure;
      const token = state.nextToken(2);
      const stream = new GrpcStream(root, token, cluster, `${serviceName}/${methodName}`, wanted);
      root.grpcStreams.set(token, stream);
      if (!vm.memory.writeU32(u32(tokenTo), token)) return Status.InvalidMemoryAccess;
      state.onGrpcStream(stream);
      return Status.Ok;
    },
    proxy_grpc_send(token = 0, pointer = 0, size = 0, end = 0) {
      const message = bytes(pointer, size);
      if (!message) return Status.InvalidMemoryAccess;
      return withStream(token, (stream) => stream.accept(message, end !== 0));
    },
    proxy_grpc_close: (token = 0) =>
      withStream(token, (stream, root) => {
        stream.closedByGuest = true;
        if (stream.closedByPeer) root.grpcStreams.delete(stream.token);
      }),
    proxy_grpc_cancel: (token = 0) =>
      withStream(token, (stream, root) => {
        stream.closedByGuest = true;
        stream.cancelled = true;
        root.grpcStreams.delete(stream.token);
      }),
    proxy_get_status(codeTo = 0, pointerTo = 0, sizeTo = 0) {
      const [code, message] = vm.context.root.status;
      if (!vm.memory.writeU32(u32(codeTo), code)) return Status.InvalidMemoryAccess;
      return give(encodeText(message), pointerTo, sizeTo);
    },

    proxy_define_metric(type = 0, name = 0, nameSize = 0, idTo = 0) {
      const metric = text(name, nameSize);
      if (metric === undefined) return Status.InvalidMemoryAccess;
      if (u32(type) > MetricType.Histogram) return Status.BadArgument;
      return stored(vm.memory.writeU32(u32(idTo), metrics.define(type, metric)));
    },
    proxy_get_metric(id = 0, valueTo = 0) {
      const value = metrics.get(u32(id));
      return typeof value === "bigint" ? stored(vm.memory.writeU64(u32(valueTo), value)) : value;
    },

    proxy_get_shared_data(key = 0, keySize = 0, pointerTo = 0, sizeTo = 0, casTo = 0) {
      const name = text(key, keySize);
      if (name === undefined) return Status.InvalidMemoryAccess;
      const entry = shared.get(name);
      if (!entry) return Status.NotFound;
      const status = give(entry.value, pointerTo, sizeTo);
      return status === Status.Ok ? stored(vm.memory.writeU32(u32(casTo), entry.cas)) : status;
    },
    proxy_set_shared_data(key = 0, keySize = 0, pointer = 0, size = 0, cas = 0) {
      const [name, value] = [text(key, keySize), bytes(pointer, size)];
      if (name === undefined || !value) return Status.InvalidMemoryAccess;
      const entry = shared.get(name);
      if (entry && cas !== 0 && u32(cas) !== entry.cas) return Status.CasMismatch;
      shared.set(name, { value, cas: (entry?.cas ?? 0) + 1 });
      return Status.Ok;
    },
  };

  /** Metrics take 64-bit values, and so BigInts. */
  const wide: Record<string, WideFunction> = {
    proxy_increment_metric: (id, offset) => metrics.increment(u32(id), BigInt.asIntN(64, offset)),
    proxy_record_metric: (id, value) => metrics.record(u32(id), BigInt.asUintN(64, value)),
  };

  function change(type: number, key: string | undefined, value: string | undefined, replace: boolean): Status {
    const headers = mapOf(vm.context, type, true);
    if (!headers) return Status.BadArgument;
    if (key === undefined || value === undefined) return Status.InvalidMemoryAccess;
    const name = key.toLowerCase();
    const at = headers.findIndex(([each]) => each === name);
    if (replace && at >= 0) {
      const others = headers.filter(([each], index) => each !== name || index === at);
      headers.splice(
        0,
        headers.length,
        ...others.map(([n, v]): [string, string] => (n === name ? [n, value] : [n, v])),
      );
    } else headers.push([name, value]);
    return Status.Ok;
  }

  /** A gRPC token is known only below the root that opened the stream. */
  function withStream(token: number, act: (stream: GrpcStream, root: GrpcStream["root"]) => void): Status {
    const root = vm.context.root;
    if ((u32(token) & 3) !== 2) return Status.BadArgument;
    const stream = root.grpcStreams.get(u32(token));
    if (!stream) return Status.NotFound;
    act(stream, root);
    return Status.Ok;
  }

  const guarded: Record<string, HostFunction | WideFunction> = {};
  for (const [name, body] of Object.entries(narrow)) guarded[name] = vm.guard(name, body);
  for (const [name, body] of Object.entries(wide)) guarded[name] = vm.guard(name, body);
  return guarded;
}

function mapOf(context: Context, type: number, mutable: boolean): Headers | undefined {
  if (type < 0 || type > MapType.HttpCallResponseTrailers) return undefined;
  return mutable ? context.mutableHeaders(type) : context.headers(type);
}
