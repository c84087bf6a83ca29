/**
 * The internal listeners, each with its cluster: the UDP tunnel's end, decisions, and the two ways upstream.
 */
import { type Config, explain, extension } from "./config.ts";
import { breakers, hcm, http2, routeAll, router } from "./http.ts";
import type { BootstrapOptions } from "./options.ts";
import { grpcService } from "./policy-service.ts";
import { echo, wasmHttpFilter, wasmNetworkFilter } from "./wasm.ts";

export interface Internal {
  listener: Config;
  cluster: Config;
}

/** The wasm filter is the HTTP/2 server of this listener: all UDP sessions of a worker are streams of one connection. */
export function udpTunnel(options: BootstrapOptions): Internal {
  const plugin = { role: "tunnel", transport: "udp", listener: "udp" } as const;
  const protocol = explain(
    { max_concurrent_streams: 2_147_483_647, hpack_table_size: 0 },
    {
      hpack_table_size:
        "Here, on the cluster: otherwise Envoy's first requests use its dynamic table before it has read the " +
        "filter's SETTINGS. It holds for both ways: the filter's response headers begin with a table size update of 0 " +
        "(octet 0x20, RFC 7541 section 4.2), or Envoy ends the connection with COMPRESSION_ERROR.",
    },
  );
  return internal("dns_udp", {
    filters: [wasmNetworkFilter(options, plugin), echo()],
    // The filter makes room by its own limit; the breaker is what opens if it does not.
    breakers: breakers(Math.ceil(options.limits.udpSessions * 1.25)),
    protocol,
  });
}

/** What a decision may take where `decision_milliseconds` does not say: the default in filter/flow/settings.ts. */
const DECISION_MS = 200;

/** ext_proc passes the request's headers to the policy service; its immediate response is the verdict. */
export function decisions(options: BootstrapOptions): Internal {
  const decisionMs = Number(options.settings.decision_milliseconds ?? DECISION_MS);
  const processing: Config = {
    grpc_service: grpcService(options, `${Math.max(1, decisionMs / 1000)}s`),
    message_timeout: `${decisionMs / 1000}s`,
    failure_mode_allow: false,
    processing_mode: {
      request_header_mode: "SEND",
      request_body_mode: "NONE",
      request_trailer_mode: "SKIP",
      response_header_mode: "SKIP",
      response_body_mode: "NONE",
      response_trailer_mode: "SKIP",
    },
  };
  const connection = hcm(
    explain(
      {
        stat_prefix: "dns_policy",
        codec_type: "HTTP2",
        stream_idle_timeout: "2s",
        route_config: routeAll({ match: { prefix: "/" }, direct_response: { status: 503 } }),
        http_filters: [
          extension(
            "envoy.filters.http.ext_proc",
            "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            processing,
          ),
          router(),
        ],
      },
      { route_config: "Reached only where the policy service let a request pass: no verdict, so a failure." },
    ),
  );
  return internal("dns_policy", { filters: [connection], breakers: breakers(options.limits.callouts) });
}

/** gRPC frames to DNS over TCP: a stream of the filter is one long-lived connection to one server. */
export function pipe(options: BootstrapOptions): Internal {
  const connection = hcm(
    explain(
      {
        stat_prefix: "dns_pipe",
        codec_type: "HTTP2",
        stream_idle_timeout: "0s",
        http2_protocol_options: { allow_connect: true },
        upgrade_configs: [{ upgrade_type: "CONNECT" }],
        route_config: routeAll({
          match: { prefix: "/" },
          route: {
            cluster_header: "x-dns-cluster",
            timeout: "0s",
            upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: { allow_post: true } }],
          },
        }),
        http_filters: [wasmHttpFilter(options, { role: "pipe", listener: "dns_pipe" }), router()],
      },
      { stream_idle_timeout: "The filter ends a stream that is idle, or silent while queries wait." },
    ),
  );
  return internal("dns_pipe", { filters: [connection], breakers: breakers(options.limits.callouts) });
}

/** DoH upstream: what Envoy adds to a call of the filter is taken off again, so that a server sees none of it. */
export function dohOut(options: BootstrapOptions): Internal {
  const connection = hcm(
    explain(
      {
        stat_prefix: "dns_doh_out",
        codec_type: "HTTP2",
        skip_xff_append: true,
        stream_idle_timeout: "5s",
        scheme_header_transformation: { scheme_to_overwrite: "https" },
        route_config: routeAll({
          match: { prefix: "/" },
          request_headers_to_remove: [
            "x-dns-cluster",
            "x-envoy-internal",
            "x-envoy-external-address",
            "x-envoy-expected-rq-timeout-ms",
            "x-envoy-attempt-count",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-request-id",
          ],
          route: { cluster_header: "x-dns-cluster", timeout: "5s" },
        }),
        http_filters: [router({ suppress_envoy_headers: true })],
      },
      { scheme_header_transformation: "The hop from the filter is plain; the server's is not." },
    ),
  );
  return internal("dns_doh_out", { filters: [connection], breakers: breakers(options.limits.callouts) });
}

function internal(name: string, parts: { filters: Config[]; breakers: Config; protocol?: Config }): Internal {
  const address = { envoy_internal_address: { server_listener_name: name } };
  return {
    listener: explain(
      {
        name,
        internal_listener: {},
        bypass_overload_manager: true,
        filter_chains: [{ filters: parts.filters }],
      },
      { bypass_overload_manager: "Load is shed at the public listeners, never half way through a query." },
    ),
    cluster: {
      name,
      circuit_breakers: parts.breakers,
      typed_extension_protocol_options: http2(parts.protocol),
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    },
  };
}
