/**
 * One upstream server as an Envoy cluster: one endpoint, its transport, its certificate's name, and no limit that
 * the filter does not reach first.
 */
import { type ClusterDefinition, Protocol } from "../../compiled/messages.ts";
import { pack } from "../../messages/protos.ts";
import type { Resource } from "./resource.ts";

export const CLUSTER_TYPE = "envoy.config.cluster.v3.Cluster";

/** Above what all workers together ask for at once (filter: 512 decisions and 1,000 queries a stream each). */
const BREAKER = 65_536;
/** The largest DNS message, twice. */
const BUFFER_BYTES = 131_072;
const CONNECT_TIMEOUT = seconds(1);

const DNS_SAN = 2;
const TLS_1_2 = 3;
const TLS_1_3 = 4;

const STREAM_WINDOW = 65_536 * 4;
const CONNECTION_WINDOW = 2 ** 20;

/** `defaultCa`: PEM to trust for servers that name no authorities. */
export function clusterResource(definition: ClusterDefinition, defaultCa: string): Resource {
  const { name, protocol, address, port } = definition;
  const limits = {
    max_connections: value(BREAKER),
    max_pending_requests: value(BREAKER),
    max_requests: value(BREAKER),
  };
  return pack(CLUSTER_TYPE, {
    name,
    type: "STATIC",
    connect_timeout: CONNECT_TIMEOUT,
    per_connection_buffer_limit_bytes: value(BUFFER_BYTES),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: port } } } }] }],
    },
    circuit_breakers: { thresholds: [{ ...limits, max_retries: value(BREAKER) }] },
    // Queries that wait on a server that vanished learn of it.
    upstream_connection_options: {
      tcp_keepalive: { keepalive_probes: value(3), keepalive_time: value(10), keepalive_interval: value(5) },
    },
    ...transport(definition, defaultCa),
    ...http(protocol),
  });
}

function transport(definition: ClusterDefinition, defaultCa: string): Record<string, unknown> {
  const { protocol } = definition;
  if (protocol === Protocol.TCP) return {};
  const tls = tlsContext(definition, defaultCa);
  if (protocol === Protocol.DOH3) {
    const type = "envoy.extensions.transport_sockets.quic.v3.QuicUpstreamTransport";
    const typed_config = pack(type, { upstream_tls_context: tls });
    return { transport_socket: { name: "envoy.transport_sockets.quic", typed_config } };
  }
  const typed_config = pack("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", tls);
  return { transport_socket: { name: "envoy.transport_sockets.tls", typed_config } };
}

/** RFC 8310, strict profile: the certificate has to be of a trusted authority and for this name, and its key a pinned one. */
function tlsContext(definition: ClusterDefinition, defaultCa: string): Record<string, unknown> {
  const { protocol, serverName, ca, pins, clientCertificate, minimumVersion } = definition;
  const minimum = minimumVersion === "1.3" ? TLS_1_3 : TLS_1_2;
  return {
    sni: serverName,
    common_tls_context: {
      tls_params: { tls_minimum_protocol_version: minimum, tls_maximum_protocol_version: TLS_1_3 },
      ...(protocol === Protocol.DOH3 ? {} : { alpn_protocols: [protocol === Protocol.DOT ? "dot" : "h2"] }),
      ...(clientCertificate ? { tls_certificates: [shown(clientCertificate)] } : {}),
      validation_context: {
        ...(pins.length > 0 ? { verify_certificate_spki: pins } : {}),
        trusted_ca: { inline_bytes: Buffer.from(ca === "" ? defaultCa : ca) },
        match_typed_subject_alt_names: [{ san_type: DNS_SAN, matcher: { exact: serverName } }],
      },
    },
  };
}

function shown({ certificateFile, keyFile }: NonNullable<ClusterDefinition["clientCertificate"]>): unknown {
  return { certificate_chain: { filename: certificateFile }, private_key: { filename: keyFile } };
}

function http(protocol: Protocol): Record<string, unknown> {
  if (protocol !== Protocol.DOH && protocol !== Protocol.DOH3) return {};
  const type = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  const http2 = {
    initial_stream_window_size: value(STREAM_WINDOW),
    initial_connection_window_size: value(CONNECTION_WINDOW),
    connection_keepalive: { interval: seconds(10), timeout: seconds(2), connection_idle_interval: seconds(5) },
  };
  const explicit_http_config =
    protocol === Protocol.DOH ? { http2_protocol_options: http2 } : { http3_protocol_options: {} };
  return { typed_extension_protocol_options: { [type]: pack(type, { explicit_http_config }) } };
}

/** google.protobuf.UInt32Value. */
function value(number: number): { readonly value: number } {
  return { value: number };
}

/** google.protobuf.Duration. */
function seconds(count: number): { readonly seconds: number } {
  return { seconds: count };
}
