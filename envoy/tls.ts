/**
 * TLS of the public listeners: our certificate, and the client's where it has one.
 */
import { type Config, explain, extension, typed } from "./config.ts";
import type { BootstrapOptions, ServerTls } from "./options.ts";

const tlsMessages = "envoy.extensions.transport_sockets.tls.v3";

export function tlsSocket(options: BootstrapOptions, protocols: string[]): Config {
  return extension(
    "envoy.transport_sockets.tls",
    `${tlsMessages}.DownstreamTlsContext`,
    tlsContext(serverTls(options), protocols),
  );
}

export function quicSocket(options: BootstrapOptions): Config {
  const context = tlsContext(serverTls(options), ["h3"]);
  const fields = explain(
    { downstream_tls_context: context, enable_early_data: false },
    { enable_early_data: "0-RTT data can be replayed by others, in the name of the client's certificate." },
  );
  return extension(
    "envoy.transport_sockets.quic",
    "envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport",
    fields,
  );
}

/** The server name of the client is known only to a listener that has this. */
export function tlsInspector(): Config {
  return extension(
    "envoy.filters.listener.tls_inspector",
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
  );
}

/**
 * Keeps all URI SANs of the client's certificate, comma between them, as the property
 * ["filter_state", "dns.uri_sans"] of the connection and of its HTTP requests; "" without a certificate. It is there
 * at the first data, not in on_new_connection. The property connection.uri_san_peer_certificate is the first URI SAN
 * only, and a SPIFFE identity has exactly one: the filter refuses a value with a comma. Any certificate that gets this far was
 * validated: the handshake fails otherwise, over QUIC as over TCP.
 */
export function keepUriSans(): Config {
  const sans = {
    object_key: "dns.uri_sans",
    factory_key: "envoy.string",
    format_string: { text_format_source: { inline_string: "%DOWNSTREAM_PEER_URI_SAN%" }, omit_empty_values: true },
  };
  const fields = explain(
    { on_downstream_tls_handshake: [sans] },
    {
      on_downstream_tls_handshake:
        "Not on_new_connection: there is no certificate yet, and over QUIC 1.40.0 dies of it.",
    },
  );
  return extension(
    "envoy.filters.network.set_filter_state",
    "envoy.extensions.filters.network.set_filter_state.v3.Config",
    fields,
  );
}

function serverTls(options: BootstrapOptions): ServerTls {
  if (!options.tls) throw new Error("tls: expected a certificate for DoT and DoH, got none");
  return options.tls;
}

function tlsContext(tls: ServerTls, protocols: string[]): Config {
  const validation = validationContext(tls);
  const common: Config = {
    alpn_protocols: protocols,
    tls_params: { tls_minimum_protocol_version: "TLSv1_2", tls_maximum_protocol_version: "TLSv1_3" },
    tls_certificates: [{ certificate_chain: { filename: tls.certificate }, private_key: { filename: tls.key } }],
    ...(validation ? { validation_context: validation } : {}),
  };
  if (!validation) return { common_tls_context: common };
  return explain(
    { require_client_certificate: false, common_tls_context: common },
    {
      require_client_certificate:
        "Asked for, not required: a client without one is told by its address. One that this CA did not sign fails the " +
        "handshake.",
    },
  );
}

function validationContext(tls: ServerTls): Config | undefined {
  if (tls.trustDomains) {
    const domains = tls.trustDomains.map(({ name, ca }) => ({ name, trust_bundle: { filename: ca } }));
    return {
      custom_validator_config: {
        name: "envoy.tls.cert_validator.spiffe",
        typed_config: typed(`${tlsMessages}.SPIFFECertValidatorConfig`, { trust_domains: domains }),
      },
    };
  }
  return tls.clientCa === undefined ? undefined : { trusted_ca: { filename: tls.clientCa } };
}
