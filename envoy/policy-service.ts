/**
 * The policy service as Envoy sees it: one cluster, for decisions, Sync and the clusters of upstream servers. Of several
 * services, an Envoy uses one at a time for all of that, so that who decides is who tells of changes.
 */
import { isIP } from "node:net";
import { endpointAddress } from "./address.ts";
import { type Config, explain, extension } from "./config.ts";
import { breakers, http2 } from "./http.ts";
import type { BootstrapOptions, PolicyService } from "./options.ts";

const cluster = "policy_service";
/** Which Envoy asks; the filter says so in its stream (filter/sync/sync.ts). */
const nodeHeader = "x-dns-node";

export function policyServiceCluster(options: BootstrapOptions): Config {
  const service = options.policyService;
  const named = isNamed(service);
  const protocol = explain(
    { connection_keepalive: { interval: "1s", timeout: "2s" }, initial_stream_window_size: 65_536 },
    {
      connection_keepalive: "A service that is stopped or cut off says nothing: 3 s of silence end the connection.",
      initial_stream_window_size:
        "Half a million names of the mesh may come by Sync: decisions would wait for many of them.",
    },
  );
  return {
    name: cluster,
    type: named ? "STRICT_DNS" : "STATIC",
    ...(named && options.virtual ? { typed_dns_resolver_config: systemResolver() } : {}),
    connect_timeout: "1s",
    circuit_breakers: breakers(options.limits.callouts),
    typed_extension_protocol_options: http2(protocol),
    ...(isSeveral(service) ? oneOfSeveral() : {}),
    ...(service.tls ? { transport_socket: clientTls(service.tls) } : {}),
    load_assignment: {
      cluster_name: cluster,
      endpoints: [
        {
          lb_endpoints: [service, ...(service.others ?? [])].map((each) => ({
            endpoint: { address: endpointAddress(each) },
          })),
        },
      ],
    },
  };
}

/** A name may stand for any number. */
function isSeveral(service: PolicyService): boolean {
  return isNamed(service) || service.others !== undefined;
}

function isNamed(service: PolicyService): boolean {
  return "address" in service && isIP(service.address) === 0;
}

/** The same for all that this Envoy asks, as long as it is there. */
function oneOfSeveral(): Config {
  const policy = extension(
    "envoy.load_balancing_policies.maglev",
    "envoy.extensions.load_balancing_policies.maglev.v3.Maglev",
    { consistent_hashing_lb_config: { hash_policy: [{ header: { header_name: nodeHeader } }] } },
  );
  return {
    load_balancing_policy: { policies: [{ typed_extension_config: policy }] },
    common_lb_config: explain(
      { healthy_panic_threshold: { value: 0 }, update_merge_window: "0s" },
      {
        healthy_panic_threshold: "One that does not answer is not asked, also where it is one of many that do not.",
        update_merge_window: "Envoy's workers are told at once who has gone: by default up to a second later.",
      },
    ),
    ignore_health_on_host_removal: true,
    outlier_detection: explain(
      {
        split_external_local_origin_errors: true,
        consecutive_local_origin_failure: 1,
        enforcing_consecutive_5xx: 0,
        enforcing_success_rate: 0,
        enforcing_local_origin_success_rate: 0,
        base_ejection_time: "1s",
        max_ejection_time: "1s",
        max_ejection_percent: 100,
      },
      {
        consecutive_local_origin_failure:
          "Where nobody listens any more, the next decision is another's: a check comes later.",
      },
    ),
    close_connections_on_host_health_failure: true,
    health_checks: [
      {
        timeout: "1s",
        interval: "1s",
        no_traffic_interval: "1s",
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        grpc_health_check: {},
      },
    ],
  };
}

/** A gRPC service of the policy service, authorised by the token where there is one. */
export function grpcService(
  options: BootstrapOptions,
  timeout?: string,
  { retry, metadata = {} }: { retry?: Config; metadata?: Record<string, string> } = {},
): Config {
  const all = {
    ...(isSeveral(options.policyService) ? { [nodeHeader]: options.node } : {}),
    ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
    ...metadata,
  };
  // Some calls of Envoy take it for a format, in which %% is a percent sign, and some as it is.
  if (options.token?.includes("%")) throw new Error("expected a token without a percent sign: Envoy may not send it");
  const initial = Object.entries(all).map(([key, value]) => ({ key, value }));
  return {
    envoy_grpc: { cluster_name: cluster, ...(retry ? { retry_policy: retry } : {}) },
    ...(timeout ? { timeout } : {}),
    ...(initial.length > 0 ? { initial_metadata: initial } : {}),
  };
}

/** Clusters of upstream servers come from here, and what leads to virtual addresses. */
export function discovery(options: BootstrapOptions): Config {
  const reconnect = { retry_back_off: { base_interval: "0.2s", max_interval: "1s" } };
  const aggregated = explain(
    { resource_api_version: "V3", initial_fetch_timeout: "1s", ads: {} },
    { initial_fetch_timeout: "The default holds the listeners back for 15 s while the service is away." },
  );
  return {
    ads_config: {
      api_type: "GRPC",
      transport_api_version: "V3",
      set_node_on_first_message_only: true,
      grpc_services: [grpcService(options, undefined, { retry: reconnect })],
    },
    cds_config: aggregated,
    ...(options.virtual ? { lds_config: aggregated } : {}),
  };
}

/** The machine's own: our own listeners know no name before they know the policy service. */
function systemResolver(): Config {
  const name = "envoy.network.dns_resolver.getaddrinfo";
  return extension(name, "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig");
}

function clientTls(tls: NonNullable<BootstrapOptions["policyService"]["tls"]>): Config {
  const identity =
    tls.certificate !== undefined && tls.key !== undefined
      ? {
          tls_certificates: [{ certificate_chain: { filename: tls.certificate }, private_key: { filename: tls.key } }],
        }
      : {};
  return extension("envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
    sni: tls.serverName,
    common_tls_context: {
      alpn_protocols: ["h2"],
      ...identity,
      validation_context: {
        trusted_ca: { filename: tls.ca },
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: tls.serverName } }],
      },
    },
  });
}
