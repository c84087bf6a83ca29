/**
 * A listener for connections that a workload opens to the outside, brought here by a redirect of the kernel (iptables): each
 * goes to where the workload wanted, if the policy service allows that.
 */
import { cidrRange, listenerAddresses } from "./address.ts";
import { type Config, explain, extension } from "./config.ts";
import { connectionLimit } from "./dns-listeners.ts";
import { type BootstrapOptions, bufferBytes, listenerNames } from "./options.ts";
import { grpcService } from "./policy-service.ts";

const network = "envoy.extensions.filters.network";
const CLUSTER = "egress";

export function egressListener(options: BootstrapOptions, port: number): Config {
  return {
    name: listenerNames.egress,
    ...listenerAddresses(options.addresses, port),
    enable_reuse_port: true,
    listener_filters_timeout: "2s",
    per_connection_buffer_limit_bytes: bufferBytes,
    listener_filters: [
      extension("envoy.filters.listener.original_dst", "envoy.extensions.filters.listener.original_dst.v3.OriginalDst"),
    ],
    filter_chains: [
      explain(
        {
          filter_chain_match: { destination_port: port, prefix_ranges: options.addresses.map(cidrRange) },
          filters: [extension("envoy.filters.network.direct_response", `${network}.direct_response.v3.Config`, {})],
        },
        { filter_chain_match: "Nobody redirected this connection: it would go on to itself, for ever." },
      ),
      { filters: [connectionLimit(options, listenerNames.egress), authorization(options), passOn(options)] },
    ],
  };
}

/** Connects to the address that the connection had before it was redirected. */
export function egressCluster(): Config {
  return { name: CLUSTER, type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED", connect_timeout: "5s" };
}

function authorization(options: BootstrapOptions): Config {
  return extension("envoy.filters.network.ext_authz", `${network}.ext_authz.v3.ExtAuthz`, {
    stat_prefix: listenerNames.egress,
    transport_api_version: "V3",
    failure_mode_allow: false,
    grpc_service: grpcService(options, "1s", { metadata: options.tenant ? { "x-dns-tenant": options.tenant } : {} }),
  });
}

/** Tells the policy service of each connection when it is open, and when it could not be opened. */
function accessLog(options: BootstrapOptions): Config {
  return extension("envoy.access_loggers.tcp_grpc", "envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig", {
    common_config: {
      log_name: listenerNames.egress,
      transport_api_version: "V3",
      grpc_service: grpcService(options),
      custom_tags: [{ tag: "connect_us", value: "%COMMON_DURATION(US_CX_BEG:US_CX_END:us)%" }],
    },
  });
}

function passOn(options: BootstrapOptions): Config {
  return extension(
    "envoy.filters.network.tcp_proxy",
    `${network}.tcp_proxy.v3.TcpProxy`,
    explain(
      {
        stat_prefix: listenerNames.egress,
        cluster: CLUSTER,
        upstream_connect_mode: "ON_DOWNSTREAM_DATA",
        max_early_data_bytes: bufferBytes,
        access_log_options: { flush_access_log_on_connected: true },
        access_log: [accessLog(options)],
      },
      {
        upstream_connect_mode:
          "ext_authz asks when the client has sent something: by default Envoy would have connected by then, to anywhere.",
      },
    ),
  );
}
