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
const QUESTION_TIMEOUT = "1s";

type Egress = NonNullable<BootstrapOptions["egress"]>;

export function egressListener(options: BootstrapOptions, { port, serverFirst = false }: Egress): Config {
  const question = serverFirst ? questionAtOnce(options) : questionWithData(options);
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
      { filters: [connectionLimit(options, listenerNames.egress), question, passOn(options, serverFirst)] },
    ],
  };
}

/** Connects to the address that the connection had before it was redirected. */
export function egressCluster(): Config {
  return { name: CLUSTER, type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED", connect_timeout: "5s" };
}

/** ext_authz asks when the client has sent something, and at no other moment. */
function questionWithData(options: BootstrapOptions): Config {
  return extension("envoy.filters.network.ext_authz", `${network}.ext_authz.v3.ExtAuthz`, {
    stat_prefix: listenerNames.egress,
    transport_api_version: "V3",
    failure_mode_allow: false,
    grpc_service: questionService(options),
  });
}

/** Of filters that ask others, only the one for rate limits asks when a connection comes. */
function questionAtOnce(options: BootstrapOptions): Config {
  const entries = {
    client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    address: "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    port: "%DOWNSTREAM_LOCAL_PORT%",
  };
  return extension("envoy.filters.network.ratelimit", `${network}.ratelimit.v3.RateLimit`, {
    stat_prefix: listenerNames.egress,
    domain: "connections",
    descriptors: [{ entries: Object.entries(entries).map(([key, value]) => ({ key, value })) }],
    timeout: QUESTION_TIMEOUT,
    failure_mode_deny: true,
    rate_limit_service: { transport_api_version: "V3", grpc_service: questionService(options) },
  });
}

function questionService(options: BootstrapOptions): Config {
  return grpcService(options, QUESTION_TIMEOUT, {
    metadata: options.tenant ? { "x-dns-tenant": options.tenant } : {},
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

function passOn(options: BootstrapOptions, serverFirst: boolean): Config {
  const proxy = {
    stat_prefix: listenerNames.egress,
    cluster: CLUSTER,
    ...(serverFirst ? {} : { upstream_connect_mode: "ON_DOWNSTREAM_DATA", max_early_data_bytes: bufferBytes }),
    access_log_options: { flush_access_log_on_connected: true },
    access_log: [accessLog(options)],
  };
  return extension(
    "envoy.filters.network.tcp_proxy",
    `${network}.tcp_proxy.v3.TcpProxy`,
    explain(proxy, {
      upstream_connect_mode:
        "ext_authz asks when the client has sent something: by default Envoy would have connected by then, to anywhere.",
    }),
  );
}
