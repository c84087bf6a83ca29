/**
 * Settings of the process as a whole: admin, overload, watchdogs, runtime values, statistics.
 */
import { endpointAddress } from "./address.ts";
import { type Config, explain, extension } from "./config.ts";
import { type BootstrapOptions, listenerNames } from "./options.ts";

/** Reading, and what a drain needs. Nothing that ends the process or changes it; no /config_dump, it has the token. */
const adminPaths = [
  "/ready",
  "/server_info",
  "/stats",
  "/clusters",
  "/listeners",
  "/certs",
  "/memory",
  "/healthcheck/",
  "/drain_listeners",
];

export function admin(options: BootstrapOptions): Config {
  const allowed = adminPaths.map((path) => ({ prefix: path }));
  const address = endpointAddress(options.admin, 0o600);
  return { address, ignore_global_conn_limit: true, allow_paths: allowed };
}

export function overload(options: BootstrapOptions): Config {
  const monitors = "envoy.extensions.resource_monitors";
  const heap = "envoy.resource_monitors.fixed_heap";
  const above = (value: number): Config => ({ triggers: [{ name: heap, threshold: { value } }] });
  return {
    refresh_interval: "0.25s",
    resource_monitors: [
      extension(
        "envoy.resource_monitors.global_downstream_max_connections",
        `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
        { max_active_downstream_connections: options.limits.connections },
      ),
      extension(heap, `${monitors}.fixed_heap.v3.FixedHeapConfig`, {
        max_heap_size_bytes: options.limits.heapBytes,
      }),
    ],
    actions: [
      { name: "envoy.overload_actions.shrink_heap", ...above(0.9) },
      { name: "envoy.overload_actions.stop_accepting_connections", ...above(0.95) },
    ],
  };
}

/** A worker that never comes back ends the process; the supervisor starts another. */
export function watchdogs(): Config {
  const patience = { miss_timeout: "0.5s", megamiss_timeout: "2s" };
  return explain(
    {
      main_thread_watchdog: { ...patience, kill_timeout: "30s", max_kill_timeout_jitter: "1s" },
      worker_watchdog: { ...patience, kill_timeout: "10s", max_kill_timeout_jitter: "1s" },
    },
    { worker_watchdog: "An endless loop in the filter would hold its worker for good." },
  );
}

export function runtime({ virtual, limits }: BootstrapOptions): Config {
  // A listener that comes from elsewhere has its limit here; others by a filter (connectionLimit).
  const connections = `envoy.resource_limits.listener.${listenerNames.virtual}.connection_limit`;
  const values = explain(
    {
      ...(virtual ? { [connections]: limits.listenerConnections } : {}),
      "http.max_requests_per_io_cycle": 1,
      "envoy.reloadable_features.ext_proc_graceful_grpc_close": true,
    },
    {
      "http.max_requests_per_io_cycle": "A flood of streams on one connection waits for the others' turn.",
      "envoy.reloadable_features.ext_proc_graceful_grpc_close":
        "Otherwise every decision ends with a stream reset, and Node's HTTP/2 takes many of them for an attack.",
    },
  );
  return { layers: [{ name: "limits", static_layer: values }] };
}

/**
 * The filter's metrics are plain names with values in them, `wasmcustom.dns.queries.tenant.web.transport.udp`:
 * here the values become tags.
 */
export function statistics(): Config {
  return {
    stats_tags: [
      // A tenant's name may have dots: it ends where the last words of the metric's name begin.
      tag(
        "dns_tenant",
        "^wasmcustom\\.dns\\.[a-z_]+(\\.tenant\\.(.+))\\.(?:transport|verdict|rcode|result|audit)\\.[^.]+$",
      ),
      tag("dns_transport", "^wasmcustom\\.dns\\.queries\\..+(\\.transport\\.([^.]+))$"),
      tag("dns_verdict", "^wasmcustom\\.dns\\.verdicts\\..+(\\.verdict\\.([^.]+))$"),
      tag("dns_audit", "^wasmcustom\\.dns\\.audited\\..+(\\.audit\\.([^.]+))$"),
      tag("dns_rcode", "^wasmcustom\\.dns\\.responses\\..+(\\.rcode\\.([^.]+))$"),
      tag("dns_result", "^wasmcustom\\.dns\\.(?:cache\\..+|searches\\..+|decisions)(\\.result\\.([^.]+))$"),
      tag("dns_upstream", "^wasmcustom\\.dns\\.upstream_ms(\\.upstream\\.(.+))$"),
    ],
    histogram_bucket_settings: [
      {
        match: { prefix: "wasmcustom.dns.upstream_ms" },
        buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500, 2000, 4000],
      },
    ],
  };
}

function tag(name: string, regex: string): Config {
  return { tag_name: name, regex };
}
