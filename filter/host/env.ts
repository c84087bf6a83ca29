// The functions of proxy-wasm ABI 0.2.1 that Envoy gives a module, as they are: asc imports an undecorated
// declaration from the module named like its file, here "env". Only host.ts calls them.
// Specification: https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1

export declare function proxy_log(level: u32, message: usize, length: usize): u32;
export declare function proxy_get_buffer_bytes(type: u32, start: u32, max: u32, pointer: usize, length: usize): u32;
export declare function proxy_set_buffer_bytes(type: u32, start: u32, max: u32, bytes: usize, length: usize): u32;
export declare function proxy_continue_stream(type: u32): u32;
export declare function proxy_close_stream(type: u32): u32;
export declare function proxy_set_effective_context(context: u32): u32;
export declare function proxy_get_property(path: usize, pathLength: usize, value: usize, length: usize): u32;
export declare function proxy_set_tick_period_milliseconds(period: u32): u32;
export declare function proxy_get_current_time_nanoseconds(time: usize): u32;
export declare function proxy_http_call(
  cluster: usize,
  clusterLength: usize,
  headers: usize,
  headersLength: usize,
  body: usize,
  bodyLength: usize,
  trailers: usize,
  trailersLength: usize,
  timeout: u32,
  token: usize,
): u32;
export declare function proxy_grpc_stream(
  service: usize,
  serviceLength: usize,
  name: usize,
  nameLength: usize,
  method: usize,
  methodLength: usize,
  metadata: usize,
  metadataLength: usize,
  token: usize,
): u32;
export declare function proxy_grpc_send(token: u32, message: usize, length: usize, end: u32): u32;
export declare function proxy_grpc_cancel(token: u32): u32;
export declare function proxy_get_header_map_value(
  type: u32,
  key: usize,
  keyLength: usize,
  value: usize,
  length: usize,
): u32;
export declare function proxy_replace_header_map_value(
  type: u32,
  key: usize,
  keyLength: usize,
  value: usize,
  length: usize,
): u32;
export declare function proxy_send_local_response(
  code: u32,
  details: usize,
  detailsLength: usize,
  body: usize,
  bodyLength: usize,
  headers: usize,
  headersLength: usize,
  grpcStatus: u32,
): u32;
export declare function proxy_define_metric(type: u32, name: usize, length: usize, id: usize): u32;
export declare function proxy_increment_metric(id: u32, offset: i64): u32;
export declare function proxy_record_metric(id: u32, value: u64): u32;
export declare function proxy_get_shared_data(
  key: usize,
  keyLength: usize,
  value: usize,
  length: usize,
  cas: usize,
): u32;
export declare function proxy_set_shared_data(key: usize, keyLength: usize, value: usize, length: usize, cas: u32): u32;
