/**
 * Listeners that take DNS messages as they are: UDP, TCP, DoT, and TCP behind a balancer.
 */
import { cidrRange, listenerAddresses } from "./address.ts";
import { type Config, explain, extension } from "./config.ts";
import { type BootstrapOptions, listenerNames } from "./options.ts";
import { keepUriSans, tlsInspector, tlsSocket } from "./tls.ts";
import { echo, wasmNetworkFilter } from "./wasm.ts";

/** Of SOL_SOCKET; the kernel doubles what it is told, gives as much of it as net.core.*mem_max allows, and never refuses. */
function socketBuffer(direction: "send" | "receive", octets: number, why: string): Config {
  const name = direction === "send" ? 7 : 8;
  return explain({ level: 1, name, int_value: octets, state: "STATE_PREBIND" }, { int_value: why });
}

const receiveBuffer = socketBuffer(
  "receive",
  8_388_608,
  "The default holds some 160 queries: 8 ms of a flood of 20,000/s, and then everybody's are lost.",
);

/**
 * What a connection is read, and may write, before others have their turn. A worker that reads 128 KiB at once (Envoy's
 * default is a MiB) answers some 3,000 queries of one client before it looks at another.
 */
const turnBytes = 8192;

const connectionBuffers: Config[] = [
  socketBuffer("send", 32_768, "Of a client that never reads, the default of up to 4 MiB takes some 50,000 answers."),
  socketBuffer("receive", turnBytes, "Envoy reads 128 KiB at once where they are there, whatever its own limit is."),
];

const udpMessages = "envoy.extensions.filters.udp.udp_proxy";

export function udpListener(options: BootstrapOptions, port: number): Config {
  const route = extension("dns", `${udpMessages}.v3.Route`, { cluster: "dns_udp" });
  const tunnel = explain(
    {
      proxy_host: "dns",
      target_host: "dns",
      default_target_port: 53,
      use_post: true,
      post_path: "/dns",
      headers_to_add: [{ header: { key: "x-src", value: "%DOWNSTREAM_REMOTE_ADDRESS%" } }],
      buffer_options: { max_buffered_datagrams: 64, max_buffered_bytes: 65_536 },
    },
    { buffer_options: "What a session may hold until the filter has answered 200 to its request." },
  );
  return {
    name: listenerNames.udp,
    ...listenerAddresses(options.addresses, port, "UDP"),
    enable_reuse_port: true,
    socket_options: [receiveBuffer],
    udp_listener_config: explain(
      { downstream_socket_config: { max_rx_datagram_size: 4096 } },
      { downstream_socket_config: "Queries with large EDNS options; the default of 1500 would cut them." },
    ),
    listener_filters: [
      extension(
        "envoy.filters.udp_listener.udp_proxy",
        `${udpMessages}.v3.UdpProxyConfig`,
        explain(
          {
            stat_prefix: listenerNames.udp,
            matcher: { on_no_match: { action: route } },
            idle_timeout: "0.5s",
            session_filters: [
              extension(
                "envoy.filters.udp.session.http_capsule",
                `${udpMessages}.session.http_capsule.v3.FilterConfig`,
              ),
            ],
            tunneling_config: tunnel,
          },
          {
            idle_timeout:
              "Ends a session after its answer without losing the next query, which the filter could not. The filter " +
              "keeps sessions alive that still wait for one.",
          },
        ),
      ),
    ],
  };
}

export function tcpListener(options: BootstrapOptions, port: number, name: string = listenerNames.tcp): Config {
  const plugin = { role: "stream", transport: "tcp", listener: name } as const;
  return streamListener(options, {
    name,
    port,
    chains: [{ filters: [connectionLimit(options, name), wasmNetworkFilter(options, plugin), echo()] }],
  });
}

export function dotListener(options: BootstrapOptions, port: number): Config {
  const plugin = { role: "stream", transport: "dot", listener: listenerNames.dot } as const;
  return streamListener(options, {
    name: listenerNames.dot,
    port,
    listenerFilters: [tlsInspector()],
    chains: [
      {
        transport_socket: tlsSocket(options, ["dot"]),
        transport_socket_connect_timeout: "5s",
        filters: [
          connectionLimit(options, listenerNames.dot),
          keepUriSans(),
          wasmNetworkFilter(options, plugin),
          echo(),
        ],
      },
    ],
  });
}

/** DNS over TCP from a balancer that tells the client's address by the PROXY protocol. */
export function proxiedListener(options: BootstrapOptions, port: number, balancers: string[]): Config {
  const plugin = { role: "stream", transport: "tcp", listener: listenerNames.proxied } as const;
  const principals = balancers.map((block) => ({ direct_remote_ip: cidrRange(block) }));
  const balancersOnly = extension("envoy.filters.network.rbac", "envoy.extensions.filters.network.rbac.v3.RBAC", {
    stat_prefix: listenerNames.proxied,
    rules: { action: "ALLOW", policies: { balancers: { permissions: [{ any: true }], principals } } },
  });
  return streamListener(options, {
    name: listenerNames.proxied,
    port,
    listenerFilters: [
      extension(
        "envoy.filters.listener.proxy_protocol",
        "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
      ),
    ],
    chains: [
      {
        filters: [
          balancersOnly,
          connectionLimit(options, listenerNames.proxied),
          wasmNetworkFilter(options, plugin),
          echo(),
        ],
      },
    ],
  });
}

export interface StreamListener {
  name: string;
  port: number;
  /** Of a connection, where it is not a turn: what buffers whole messages needs more. */
  bufferBytes?: number;
  listenerFilters?: Config[];
  chains: Config[];
}

/** A listener of connections, with the limits that every one of them needs. */
export function streamListener(options: BootstrapOptions, listener: StreamListener): Config {
  return explain(
    {
      name: listener.name,
      ...listenerAddresses(options.addresses, listener.port),
      enable_reuse_port: true,
      listener_filters_timeout: "2s",
      per_connection_buffer_limit_bytes: listener.bufferBytes ?? turnBytes,
      per_connection_buffer_high_watermark_timeout: "2s",
      socket_options: connectionBuffers,
      ...(listener.listenerFilters ? { listener_filters: listener.listenerFilters } : {}),
      filter_chains: listener.chains,
    },
    {
      per_connection_buffer_high_watermark_timeout:
        "A client that asks and never reads: without this its answers pile up, 600 KB in, 561 MB held.",
    },
  );
}

export function connectionLimit(options: BootstrapOptions, listener: string): Config {
  return extension(
    "envoy.filters.network.connection_limit",
    "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
    { stat_prefix: listener, max_connections: options.limits.listenerConnections },
  );
}
