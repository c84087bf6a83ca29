// The only room that knows proxy-wasm. Every function is thin: it checks the host's status and turns pointers into
// values. Memory that the host hands over lives until the running callback ends.

import * as env from "./env";
import * as wasi from "./wasi_snapshot_preview1";

/** Buffers of proxy-wasm ABI 0.2.1 that the filter uses. */
export const enum Buffer {
  HttpRequestBody = 0,
  HttpResponseBody = 1,
  NetworkDownstreamData = 2,
  HttpCallResponseBody = 4,
  GrpcReceiveBuffer = 5,
  VmConfiguration = 6,
  PluginConfiguration = 7,
}

export const enum HeaderMap {
  Request = 0,
  Response = 2,
  HttpCallResponse = 6,
}

export const enum Stream {
  HttpRequest = 0,
  Downstream = 2,
}

export const enum Metric {
  Counter = 0,
  Gauge = 1,
  Histogram = 2,
}

export const enum LogLevel {
  Debug = 1,
  Info = 2,
  Warn = 3,
  Error = 4,
}

const OK: u32 = 0;
/** Beyond the end of every buffer. */
const AFTER_END: u32 = 0x7fff_ffff;

// ---- memory for the host -------------------------------------------------------------------------------------------

/** Octets that callbacks may be handed without touching the heap; more is allocated and freed again. */
const SCRATCH_SIZE: usize = 1 << 20;
const MAX_OVERFLOWS: i32 = 64;
const scratch: usize = heap.alloc(SCRATCH_SIZE);
const overflows = new StaticArray<usize>(MAX_OVERFLOWS);
let scratchUsed: usize = 0;
let overflowCount: i32 = 0;
let depth: i32 = 0;

/** Serves `proxy_on_memory_allocate`. */
export function allocate(size: usize): usize {
  const aligned = (size + 7) & ~7;
  if (aligned <= SCRATCH_SIZE - scratchUsed) {
    const at = scratch + scratchUsed;
    scratchUsed += aligned;
    return at;
  }
  const at = heap.alloc(size);
  if (overflowCount < MAX_OVERFLOWS) unchecked((overflows[overflowCount++] = at));
  return at;
}

/** A callback begins. Callbacks nest: the host may call back from within a host call. */
export function enter(): void {
  depth++;
}

/** A callback ends; with the outermost one, all memory that the host was given is free again. */
export function leave(): void {
  if (--depth > 0) return;
  scratchUsed = 0;
  while (overflowCount > 0) heap.free(unchecked(overflows[--overflowCount]));
}

const slots: usize = memory.data(32);

/** Length of what the last `read…` function returned. */
export let readLength: u32 = 0;

// ---- time and chance -----------------------------------------------------------------------------------------------

/** Monotonic time in microseconds. */
export function monotonicMicroseconds(): u64 {
  wasi.clock_time_get(1, 0, slots);
  return load<u64>(slots) / 1000;
}

/** Wall clock in microseconds since 1970. */
export function wallMicroseconds(): u64 {
  env.proxy_get_current_time_nanoseconds(slots);
  return load<u64>(slots) / 1000;
}

const RANDOM_POOL: usize = 512;
const randomPool: usize = memory.data(512);
let randomLeft: usize = 0;

/** Sixteen unpredictable bits (RFC 5452, section 9.2), from the host's generator in batches. */
export function random16(): u32 {
  if (randomLeft < 2) {
    if (wasi.random_get(randomPool, RANDOM_POOL) != 0) unreachable();
    randomLeft = RANDOM_POOL;
  }
  randomLeft -= 2;
  return load<u16>(randomPool + randomLeft);
}

export function random64(): u64 {
  return ((<u64>random16()) << 48) | ((<u64>random16()) << 32) | ((<u64>random16()) << 16) | random16();
}

// ---- text ----------------------------------------------------------------------------------------------------------

/** Octets of a string that lives as long as the VM. */
export class Text {
  readonly at: usize;
  readonly length: u32;

  constructor(text: string) {
    this.length = <u32>String.UTF8.byteLength(text);
    this.at = heap.alloc(this.length);
    String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, this.at);
  }
}

export function log(level: LogLevel, message: string): void {
  const bytes = String.UTF8.encode(message);
  env.proxy_log(level, changetype<usize>(bytes), bytes.byteLength);
}

// ---- buffers and streams -------------------------------------------------------------------------------------------

/** The buffer's octets, `readLength` of them; 0 where there are none. */
export function readBuffer(type: Buffer, start: u32, max: u32): usize {
  readLength = 0;
  store<usize>(slots, 0);
  store<u32>(slots + 4, 0);
  if (max == 0 || env.proxy_get_buffer_bytes(type, start, max, slots, slots + 4) != OK) return 0;
  const at = load<usize>(slots);
  if (at != 0) readLength = load<u32>(slots + 4);
  return at;
}

/** Puts octets in the place of the `size` octets that the buffer holds. */
export function replaceBuffer(type: Buffer, size: u32, bytes: usize, length: u32): bool {
  return env.proxy_set_buffer_bytes(type, 0, size, bytes, length) == OK;
}

/** Adds octets at the end of the buffer: Envoy adds what begins at or after it. */
export function appendBuffer(type: Buffer, bytes: usize, length: u32): bool {
  return env.proxy_set_buffer_bytes(type, AFTER_END, 0, bytes, length) == OK;
}

export function continueDownstream(): void {
  env.proxy_continue_stream(Stream.Downstream);
}

export function setEffectiveContext(context: u32): bool {
  return env.proxy_set_effective_context(context) == OK;
}

/** Ends the connection of the effective context. */
export function closeDownstream(): void {
  env.proxy_close_stream(Stream.Downstream);
}

/** The property's octets, `readLength` of them; 0 where there is none. `path`: parts, each ended by a zero octet but the last. */
export function readProperty(path: Text): usize {
  readLength = 0;
  store<usize>(slots, 0);
  if (env.proxy_get_property(path.at, path.length, slots, slots + 4) != OK) return 0;
  const at = load<usize>(slots);
  if (at != 0) readLength = load<u32>(slots + 4);
  return at;
}

export function setTickPeriod(milliseconds: u32): void {
  env.proxy_set_tick_period_milliseconds(milliseconds);
}

// ---- headers -------------------------------------------------------------------------------------------------------

/** The header's octets, `readLength` of them; 0 where there is none. */
export function readHeader(map: HeaderMap, name: Text): usize {
  readLength = 0;
  store<usize>(slots, 0);
  if (env.proxy_get_header_map_value(map, name.at, name.length, slots, slots + 4) != OK) return 0;
  const at = load<usize>(slots);
  if (at != 0) readLength = load<u32>(slots + 4);
  return at;
}

const STATUS = new Text(":status");
const CONTENT_TYPE = new Text("content-type");

/** Whether an HTTP call was answered 200 with a body of this type. */
export function isOkResponse(type: Text): bool {
  const status = readHeader(HeaderMap.HttpCallResponse, STATUS);
  if (status == 0 || readLength != 3 || load<u8>(status) != 0x32 || load<u16>(status + 1) != 0x3030) return false;
  const value = readHeader(HeaderMap.HttpCallResponse, CONTENT_TYPE);
  return value != 0 && readLength == type.length && memory.compare(value, type.at, readLength) == 0;
}

export function replaceHeader(map: HeaderMap, name: Text, value: Text): void {
  env.proxy_replace_header_map_value(map, name.at, name.length, value.at, value.length);
}

/** A list of headers in proxy-wasm's form: count, sizes, then names and values each ended by a zero octet. */
@final
export class Headers {
  private static readonly MAX: u32 = 16;
  private readonly refs: StaticArray<usize> = new StaticArray<usize>(64);
  private readonly out: usize;
  private readonly capacity: usize;
  private count: u32 = 0;
  /** Octets at `finish()`. */
  length: u32 = 0;

  constructor(capacity: usize) {
    this.out = heap.alloc(capacity);
    this.capacity = capacity;
  }

  clear(): void {
    this.count = 0;
  }

  /** The octets must stay until `finish`. */
  add(name: Text, value: usize, valueLength: u32): void {
    if (this.count == Headers.MAX) return;
    const i = this.count++ * 4;
    unchecked((this.refs[i] = name.at));
    unchecked((this.refs[i + 1] = name.length));
    unchecked((this.refs[i + 2] = value));
    unchecked((this.refs[i + 3] = valueLength));
  }

  addText(name: Text, value: Text): void {
    this.add(name, value.at, value.length);
  }

  /** The serialised list, `length` octets; 0 where it does not fit. */
  finish(): usize {
    const count = this.count;
    let size: usize = 4 + count * 8;
    for (let i: u32 = 0; i < count * 4; i += 2) size += unchecked(this.refs[i + 1]) + 1;
    if (size > this.capacity) return 0;
    store<u32>(this.out, count);
    let sizes = this.out + 4;
    let at = sizes + count * 8;
    for (let i: u32 = 0; i < count * 4; i += 2) {
      const length = unchecked(this.refs[i + 1]);
      store<u32>(sizes, <u32>length);
      sizes += 4;
      memory.copy(at, unchecked(this.refs[i]), length);
      store<u8>(at + length, 0);
      at += length + 1;
    }
    this.length = <u32>size;
    return this.out;
  }
}

/** The context that calls are made from: it outlives every connection, so no response is lost (design in ARCHITECTURE.md). */
let rootContext: u32 = 0;

export function setRootContext(context: u32): void {
  rootContext = context;
}

export function isRootContext(context: u32): bool {
  return context == rootContext;
}

// ---- calls ---------------------------------------------------------------------------------------------------------

/** The call's token, or 0 where it could not be started. */
export function httpCall(
  cluster: usize,
  clusterLength: u32,
  headers: Headers,
  body: usize,
  bodyLength: u32,
  timeout: u32,
): u32 {
  const list = headers.finish();
  if (list == 0) return 0;
  store<u32>(slots + 8, 0);
  const none: usize = slots + 16;
  store<u32>(none, 0);
  env.proxy_set_effective_context(rootContext);
  const status = env.proxy_http_call(
    cluster,
    clusterLength,
    list,
    headers.length,
    body,
    bodyLength,
    none,
    0,
    timeout,
    slots + 8,
  );
  return status == OK ? load<u32>(slots + 8) : 0;
}

/**
 * A gRPC stream. Only the context that opened it can use it, and that need not be the root context any more: after a
 * trap, plugins come back one by one.
 */
@final
export class GrpcStream {
  /** 0 is closed. */
  token: u32 = 0;
  private context: u32 = 0;

  /** Whether it could be opened; that says nothing of the other side yet. */
  open(cluster: Text, service: Text, method: Text, metadata: Headers): bool {
    this.token = 0;
    this.context = rootContext;
    const list = metadata.finish();
    if (list == 0) return false;
    store<u32>(slots + 8, 0);
    env.proxy_set_effective_context(rootContext);
    const status = env.proxy_grpc_stream(
      cluster.at,
      cluster.length,
      service.at,
      service.length,
      method.at,
      method.length,
      list,
      metadata.length,
      slots + 8,
    );
    if (status == OK) this.token = load<u32>(slots + 8);
    return this.token != 0;
  }

  send(message: usize, length: u32): bool {
    env.proxy_set_effective_context(this.context);
    return env.proxy_grpc_send(this.token, message, length, 0) == OK;
  }

  cancel(): void {
    if (this.token == 0) return;
    env.proxy_set_effective_context(this.context);
    env.proxy_grpc_cancel(this.token);
    this.token = 0;
  }
}

const NO_GRPC_STATUS: u32 = 0xffffffff;

/** Answers the HTTP request of the effective context. */
export function sendLocalResponse(status: u32, headers: Headers, body: usize, length: u32): bool {
  const list = headers.finish();
  if (list == 0) return false;
  return env.proxy_send_local_response(status, 0, 0, body, length, list, headers.length, NO_GRPC_STATUS) == OK;
}

// ---- metrics and shared data ---------------------------------------------------------------------------------------

/** The metric's id, or 0 where it could not be defined. */
export function defineMetric(type: Metric, name: string): u32 {
  const bytes = String.UTF8.encode(name);
  store<u32>(slots + 8, 0);
  const status = env.proxy_define_metric(type, changetype<usize>(bytes), bytes.byteLength, slots + 8);
  return status == OK ? load<u32>(slots + 8) : 0;
}

export function incrementMetric(id: u32, by: i64): void {
  if (id != 0) env.proxy_increment_metric(id, by);
}

export function recordMetric(id: u32, value: u64): void {
  if (id != 0) env.proxy_record_metric(id, value);
}

/** Eight octets that all VMs of this Envoy process agree on: the first to ask draws them. */
export function sharedRandom64(key: Text): u64 {
  const value: usize = slots + 16;
  for (let tries = 0; tries < 3; tries++) {
    store<u32>(slots + 8, 0);
    if (env.proxy_get_shared_data(key.at, key.length, slots, slots + 4, slots + 8) == OK && load<u32>(slots + 4) == 8) {
      return load<u64>(load<usize>(slots));
    }
    store<u64>(value, random64());
    env.proxy_set_shared_data(key.at, key.length, value, 8, load<u32>(slots + 8));
  }
  return load<u64>(value);
}
