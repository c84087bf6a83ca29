// @ts-nocheck AssemblyScript: declarations of the module `env`, named for this file.
export declare function proxy_log(level: u32, pointer: usize, size: usize): u32;
export declare function proxy_get_buffer_bytes(type: u32, start: u32, max: u32, to: usize, sizeTo: usize): u32;
export declare function proxy_set_buffer_bytes(type: u32, start: u32, max: u32, pointer: usize, size: usize): u32;
export declare function proxy_continue_stream(type: u32): u32;
export declare function proxy_close_stream(type: u32): u32;
export declare function proxy_set_effective_context(id: u32): u32;
export declare function proxy_get_property(path: usize, size: usize, to: usize, sizeTo: usize): u32;
export declare function proxy_set_tick_period_milliseconds(period: u32): u32;
export declare function proxy_get_header_map_value(type: u32, key: usize, size: usize, to: usize, sizeTo: usize): u32;
export declare function proxy_send_local_response(
  status: u32,
  details: usize,
  detailsSize: usize,
  body: usize,
  bodySize: usize,
  headers: usize,
  size: usize,
  grpc: u32,
): u32;
export declare function proxy_http_call(
  cluster: usize,
  size: usize,
  headers: usize,
  headersSize: usize,
  body: usize,
  bodySize: usize,
  trailers: usize,
  trailersSize: usize,
  timeout: u32,
  tokenTo: usize,
): u32;
export declare function proxy_grpc_stream(
  cluster: usize,
  size: usize,
  service: usize,
  serviceSize: usize,
  method: usize,
  methodSize: usize,
  metadata: usize,
  metadataSize: usize,
  tokenTo: usize,
): u32;
export declare function proxy_grpc_send(token: u32, pointer: usize, size: usize, end: u32): u32;
export declare function proxy_define_metric(type: u32, name: usize, size: usize, to: usize): u32;
export declare function proxy_increment_metric(id: u32, offset: i64): u32;
