/**
 * A destination as Envoy has it: a cluster of its endpoints, and the filter chain of the egress listener that leads there.
 *
 * Encoded where destinations are made, so that the thread that decides only puts octets together.
 */
import { isIP } from "node:net";
import { pack } from "../../messages/protos.ts";
import type { Destination } from "./destination.ts";

/** As one destination is told to Envoys. */
export interface EncodedDestination {
  readonly id: string;
  /** Addresses with the port: of one such place there is one chain in a listener, or Envoy refuses all of it. */
  readonly places: readonly string[];
  /** envoy.config.cluster.v3.Cluster. */
  readonly cluster: Uint8Array;
  /** envoy.config.listener.v3.FilterChain. */
  readonly chain: Uint8Array;
}

const CLUSTER = "envoy.config.cluster.v3.Cluster";
const CONNECT_TIMEOUT = { seconds: 5 };
/** Each at another endpoint: one that does not answer costs nobody a connection where there are others. */
const MAX_ATTEMPTS = { value: 3 };
/** Names that come at one time are not asked for again at one time. */
const JITTER = { seconds: 1 };
/** A name that nobody knows yet is mostly known soon: the policy that lets it be asked for is about to be in force. */
const FAILURE_REFRESH = { base_interval: { nanos: 200_000_000 }, max_interval: { seconds: 10 } };
const BUFFER_BYTES = { value: 131_072 };
/** The listener's own limit is reached first. */
const MAX_CONNECTIONS = { value: 65_536 };

export function encodeDestination(destination: Destination): EncodedDestination {
  const { id, addresses, port } = destination;
  return {
    id,
    places: addresses.map((address) => `${address} ${port}`),
    cluster: encodeCluster(destination),
    chain: encodeChain(destination),
  };
}

function encodeCluster(destination: Destination): Uint8Array {
  const { id, endpoints } = destination;
  const name = clusterName(id);
  const lb_endpoints = endpoints.map(({ address, port, weight }) => ({
    endpoint: { address: { socket_address: { address, port_value: port } } },
    load_balancing_weight: { value: weight },
  }));
  return own(
    pack(CLUSTER, {
      name,
      alt_stat_name: statName(id),
      ...discoveryOf(destination),
      connect_timeout: CONNECT_TIMEOUT,
      per_connection_buffer_limit_bytes: BUFFER_BYTES,
      circuit_breakers: { thresholds: [{ max_connections: MAX_CONNECTIONS, max_pending_requests: MAX_CONNECTIONS }] },
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    }).value,
  );
}

function discoveryOf({ resolution }: Destination): Record<string, unknown> {
  if (resolution === "addresses") return { type: "STATIC" };
  return {
    cluster_type: {
      name: "envoy.clusters.dns",
      typed_config: pack("envoy.extensions.clusters.dns.v3.DnsCluster", {
        dns_lookup_family: "V4_PREFERRED",
        respect_dns_ttl: true,
        dns_jitter: JITTER,
        dns_failure_refresh_rate: FAILURE_REFRESH,
        all_addresses_in_single_endpoint: resolution === "names in turn",
      }),
    },
  };
}

function encodeChain({ id, addresses, port }: Destination): Uint8Array {
  const proxy = { stat_prefix: statName(id), cluster: clusterName(id), max_connect_attempts: MAX_ATTEMPTS };
  return own(
    pack("envoy.config.listener.v3.FilterChain", {
      name: id,
      filter_chain_match: {
        destination_port: { value: port },
        prefix_ranges: addresses.map((address) => ({
          address_prefix: address,
          prefix_len: { value: isIP(address) === 4 ? 32 : 128 },
        })),
      },
      filters: [
        {
          name: "envoy.filters.network.tcp_proxy",
          typed_config: pack("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", proxy),
        },
      ],
    }).value,
  );
}

function clusterName(id: string): string {
  return `egress/${id}`;
}

/** Envoy takes what is before a dot for a tag's value. */
function statName(id: string): string {
  return clusterName(id).replaceAll(".", "_");
}

/** A copy of its own: protobufjs cuts small messages from a larger buffer. */
function own(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
