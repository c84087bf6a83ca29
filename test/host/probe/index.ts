// @ts-nocheck AssemblyScript.
/**
 * A guest that does what the first octet of a connection's data tells it, and logs what it was told by the host: for
 * the fake host's own tests.
 */
import * as env from "./env";
import * as wasi from "./wasi_snapshot_preview1";

const slot = memory.data(16);
const area = memory.data(64);
let _root: u32 = 0;
let parked: u32 = 0;
let stream: u32 = 0;

export function proxy_abi_version_0_2_1(): void {}
export function proxy_on_memory_allocate(size: usize): usize {
  return heap.alloc(size);
}
export function abort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}

function log(text: string): void {
  const bytes = String.UTF8.encode(text);
  env.proxy_log(2, changetype<usize>(bytes), bytes.byteLength);
}

function given(): string {
  const size = load<u32>(slot + 4);
  return size === 0 ? "<null>" : String.UTF8.decodeUnsafe(load<usize>(slot), size);
}

function configuration(type: u32): string {
  const status = env.proxy_get_buffer_bytes(type, 0, 1024, slot, slot + 4);
  return status === 0 ? given() : `status ${status}`;
}

/** One pair of serialized headers after the other. */
function pairs(texts: string[]): ArrayBuffer {
  let size = 4;
  for (let i = 0; i < texts.length; i++) size += 5 + String.UTF8.byteLength(texts[i]);
  const out = new ArrayBuffer(size);
  const base = changetype<usize>(out);
  store<u32>(base, texts.length / 2);
  let at = base + 4 + texts.length * 4;
  for (let i = 0; i < texts.length; i++) {
    const bytes = String.UTF8.encode(texts[i]);
    store<u32>(base + 4 + i * 4, bytes.byteLength);
    memory.copy(at, changetype<usize>(bytes), bytes.byteLength);
    at += bytes.byteLength + 1;
  }
  return out;
}

export function proxy_on_context_create(id: u32, parent: u32): void {
  log(`create ${id} ${parent}`);
}
export function proxy_on_vm_start(_id: u32, size: u32): u32 {
  log(`start ${size} ${configuration(6)}`);
  return 1;
}
export function proxy_on_configure(id: u32, size: u32): u32 {
  _root = id;
  log(`configure ${size} ${configuration(7)}`);
  return configuration(7) === "refuse" ? 0 : 1;
}
export function proxy_on_new_connection(id: u32): u32 {
  log(`connection ${id} ${property("connection.uri_san_peer_certificate")}`);
  return 0;
}

function property(path: string): string {
  const bytes = String.UTF8.encode(path);
  const base = changetype<usize>(bytes);
  for (let i = 0; i < bytes.byteLength; i++) if (load<u8>(base + i) === 46) store<u8>(base + i, 0);
  const status = env.proxy_get_property(base, bytes.byteLength, slot, slot + 4);
  return status === 0 ? given() : `status ${status}`;
}

function reply(text: string): void {
  const bytes = String.UTF8.encode(text);
  env.proxy_set_buffer_bytes(2, 0, 0x7fffffff, changetype<usize>(bytes), bytes.byteLength);
  env.proxy_continue_stream(2);
}

export function proxy_on_downstream_data(id: u32, size: u32, end: u32): u32 {
  env.proxy_get_buffer_bytes(2, 0, size, slot, slot + 4);
  const command = size === 0 ? 0 : load<u8>(load<usize>(slot));
  log(`data ${id} ${given()} ${end}`);
  if (command === 0x43) return 0; // C: continue
  if (command === 0x52) reply("replied"); // R
  if (command === 0x51) {
    reply("last words");
    env.proxy_close_stream(2);
  } // Q: quit
  if (command === 0x44) {
    reply("one");
    reply("two");
  } // D: double
  if (command === 0x58) unreachable(); // X: trap
  if (command === 0x49) log(property("connection.uri_san_peer_certificate")); // I: identity
  if (command === 0x4f) {
    // O: read over the end
    const status = env.proxy_get_buffer_bytes(2, size + 5, 10, slot, slot + 4);
    log(`over ${status} ${load<u32>(slot)} ${load<u32>(slot + 4)}`);
  }
  if (command === 0x54) {
    parked = id;
    env.proxy_set_tick_period_milliseconds(100);
  } // T: at the next tick
  if (command === 0x57) {
    // W: time and chance
    wasi.clock_time_get(1, 0, area);
    wasi.random_get(area + 8, 8);
    log(`time ${load<u64>(area) / 1000000} random ${load<u64>(area + 8)}`);
  }
  if (command === 0x48) {
    // H: HTTP call
    parked = id;
    const cluster = String.UTF8.encode("policy");
    const headers = pairs([":method", "GET", ":path", "/x", ":authority", "a", "x-empty", ""]);
    const status = env.proxy_http_call(
      changetype<usize>(cluster),
      cluster.byteLength,
      changetype<usize>(headers),
      headers.byteLength,
      0,
      0,
      0,
      0,
      200,
      slot,
    );
    log(`call ${status} ${load<u32>(slot)}`);
  }
  if (command === 0x47) {
    // G: gRPC stream
    const cluster = String.UTF8.encode("pipe"),
      hello = String.UTF8.encode("hello"),
      metadata = pairs(["x-dns-cluster", "up/a"]);
    const status = env.proxy_grpc_stream(
      changetype<usize>(cluster),
      cluster.byteLength,
      changetype<usize>(hello),
      5,
      changetype<usize>(hello),
      5,
      changetype<usize>(metadata),
      metadata.byteLength,
      slot,
    );
    stream = load<u32>(slot);
    log(`stream ${status} ${stream} ${env.proxy_grpc_send(stream, changetype<usize>(hello), 5, 0)}`);
  }
  if (command === 0x4d) {
    // M: metric
    const name = String.UTF8.encode("probe.count");
    env.proxy_define_metric(0, changetype<usize>(name), name.byteLength, slot);
    log(`metric ${env.proxy_increment_metric(load<u32>(slot), 3)} ${env.proxy_increment_metric(load<u32>(slot), 0)}`);
  }
  // K, R, D and Q: what is in the buffer stays there.
  if (command !== 0x4b && command !== 0x52 && command !== 0x44 && command !== 0x51)
    env.proxy_set_buffer_bytes(2, 0, 0x7fffffff, 0, 0);
  return 1;
}

export function proxy_on_upstream_data(_id: u32, _size: u32, _end: u32): u32 {
  return 0;
}
export function proxy_on_tick(_id: u32): void {
  log(`tick ${env.proxy_set_effective_context(parked)}`);
  reply("ticked");
}
export function proxy_on_http_call_response(_id: u32, token: u32, headers: u32, size: u32, _trailers: u32): void {
  const key = String.UTF8.encode(":status");
  env.proxy_get_header_map_value(6, changetype<usize>(key), key.byteLength, slot, slot + 4);
  const status = headers === 0 ? "none" : given();
  const body = env.proxy_get_buffer_bytes(4, 0, size, slot, slot + 4);
  log(`response ${token} ${status} ${body} ${given()}`);
  if (env.proxy_set_effective_context(parked) === 0) reply("decided");
}
export function proxy_on_grpc_receive(_id: u32, token: u32, size: u32): void {
  env.proxy_get_buffer_bytes(5, 0, size, slot, slot + 4);
  log(`received ${token} ${given()}`);
}
export function proxy_on_grpc_close(_id: u32, token: u32, code: u32): void {
  log(`closed ${token} ${code} ${env.proxy_grpc_send(token, slot, 0, 0)}`);
}
export function proxy_on_downstream_connection_close(id: u32, by: u32): void {
  log(`gone ${id} ${by}`);
}
export function proxy_on_request_headers(id: u32, count: u32, end: u32): u32 {
  log(`headers ${id} ${count} ${end}`);
  return end ? 0 : 1;
}
export function proxy_on_request_body(id: u32, size: u32, end: u32): u32 {
  env.proxy_get_buffer_bytes(0, 0, size, slot, slot + 4);
  log(`body ${id} ${given()} ${end}`);
  if (!end) return 1;
  if (load<u8>(load<usize>(slot)) === 0x46) return 0; // F: forward
  const text = String.UTF8.encode("answer");
  const headers = pairs(["content-type", "application/dns-message"]);
  env.proxy_send_local_response(
    200,
    0,
    0,
    changetype<usize>(text),
    6,
    changetype<usize>(headers),
    headers.byteLength,
    0xffffffff,
  );
  return 0;
}
export function proxy_on_response_headers(id: u32, _count: u32, end: u32): u32 {
  log(`response headers ${id} ${end}`);
  return 0;
}
export function proxy_on_done(id: u32): u32 {
  log(`done ${id}`);
  return 1;
}
export function proxy_on_delete(id: u32): void {
  log(`delete ${id}`);
}
