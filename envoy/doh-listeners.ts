/**
 * DNS over HTTPS on one port number: HTTP/2 and HTTP/1.1 over TLS, HTTP/3 over QUIC. HTTP/2, which nearly all clients
 * speak, is spoken by the filter itself; the other two by Envoy's HTTP.
 */
import { listenerAddresses } from "./address.ts";
import { type Config, explain } from "./config.ts";
import { connectionLimit, streamListener } from "./dns-listeners.ts";
import { hcm, router } from "./http.ts";
import { type BootstrapOptions, bufferBytes, listenerNames } from "./options.ts";
import { keepUriSans, quicSocket, tlsInspector, tlsSocket } from "./tls.ts";
import { echo, wasmHttpFilter, wasmNetworkFilter } from "./wasm.ts";

const quicProtocol = {
  max_concurrent_streams: 100,
  initial_stream_window_size: 65_536,
  initial_connection_window_size: 1_048_576,
};

export function dohListener(options: BootstrapOptions, port: number): Config {
  const plugin = { role: "http2", transport: "doh", listener: listenerNames.doh } as const;
  const chain = (name: string, protocol: string, match: Config, filters: Config[]): Config => ({
    name,
    filter_chain_match: match,
    transport_socket: tlsSocket(options, [protocol]),
    transport_socket_connect_timeout: "5s",
    filters: [connectionLimit(options, listenerNames.doh), keepUriSans(), ...filters],
  });
  return streamListener(options, {
    name: listenerNames.doh,
    port,
    bufferBytes,
    listenerFilters: [tlsInspector()],
    chains: [
      chain("http2", "h2", { application_protocols: ["h2"] }, [wasmNetworkFilter(options, plugin), echo()]),
      // Whoever offers no h2 speaks HTTP/1.1 (RFC 9113, section 3.2).
      chain("http1", "http/1.1", {}, [dohConnection(options, "doh")]),
    ],
  });
}

export function doh3Listener(options: BootstrapOptions, port: number): Config {
  return {
    name: listenerNames.doh3,
    ...listenerAddresses(options.addresses, port, "UDP"),
    enable_reuse_port: true,
    per_connection_buffer_limit_bytes: bufferBytes,
    udp_listener_config: {
      quic_options: {
        quic_protocol_options: quicProtocol,
        idle_timeout: "10s",
        crypto_handshake_timeout: "5s",
      },
    },
    filter_chains: [
      {
        transport_socket: quicSocket(options),
        filters: [connectionLimit(options, listenerNames.doh3), keepUriSans(), dohConnection(options, "doh3")],
      },
    ],
  };
}

function dohConnection(options: BootstrapOptions, transport: "doh" | "doh3"): Config {
  const plugin = { role: "doh", transport, listener: listenerNames[transport] } as const;
  const versions: Config =
    transport === "doh3"
      ? {
          codec_type: "HTTP3",
          http3_protocol_options: { quic_protocol_options: quicProtocol },
        }
      : { codec_type: "HTTP1" };
  return hcm(
    explain(
      {
        stat_prefix: transport,
        ...versions,
        use_remote_address: true,
        xff_num_trusted_hops: 0,
        normalize_path: true,
        path_with_escaped_slashes_action: "REJECT_REQUEST",
        max_request_headers_kb: 16,
        request_headers_timeout: "2s",
        request_timeout: "2s",
        stream_idle_timeout: "6s",
        common_http_protocol_options: explain(
          {
            idle_timeout: "10s",
            max_connection_duration: "300s",
            max_headers_count: 64,
            headers_with_underscores_action: "REJECT_REQUEST",
          },
          { max_connection_duration: "How long a client certificate may outlive its expiry or its CA." },
        ),
        route_config: {
          virtual_hosts: [
            {
              name: "dns",
              domains: ["*"],
              routes: [{ match: { prefix: "/" }, direct_response: { status: 404 } }],
            },
          ],
        },
        http_filters: [wasmHttpFilter(options, plugin), router()],
      },
      {
        use_remote_address: "The client is who connected: no header of its own makes it another.",
        stream_idle_timeout: "A client's patience is 5 s; the filter has answered or given up by then.",
        max_request_headers_kb: "Bounds a GET: about 12,000 octets of DNS message in base64url, 431 beyond.",
      },
    ),
  );
}
