/**
 * How an Envoy asks us of a connection to a virtual address, and tells us what became of it: as for a rate limit, because
 * that it asks when the connection comes, and so also where the server is to speak first.
 */
import { pack } from "../../messages/protos.ts";

/** Who asks. */
export interface Asker {
  /** Its node.id: of several services, an Envoy asks the one that this leads to. */
  readonly node: string;
  /** metadata.name of the Tenant whose connections all of them are. */
  readonly tenant: string | undefined;
  /** What calls are authorised by. */
  readonly secret: string | undefined;
}

/** By this name an Envoy of ours knows the policy service (envoy/policy-service.ts). */
const CLUSTER = "policy_service";
/** A judgement takes 200 ms at most, when an answer may still be on its way. */
const TIMEOUT = { seconds: 1 };

/** An envoy.config.listener.v3.Filter. */
export function checkFilter(asker: Asker, statPrefix: string): Record<string, unknown> {
  const entries = {
    client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    address: "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    port: "%DOWNSTREAM_LOCAL_PORT%",
    chain: "%FILTER_CHAIN_NAME%",
  };
  const config = {
    stat_prefix: statPrefix,
    domain: "connections",
    descriptors: [{ entries: Object.entries(entries).map(([key, value]) => ({ key, value })) }],
    timeout: TIMEOUT,
    failure_mode_deny: true,
    rate_limit_service: { grpc_service: grpcService(asker), transport_api_version: "V3" },
  };
  return {
    name: "envoy.filters.network.ratelimit",
    typed_config: pack("envoy.extensions.filters.network.ratelimit.v3.RateLimit", config),
  };
}

/** An envoy.config.accesslog.v3.AccessLog of a listener: it has a line for each connection, when that ends. */
export function checkedConnections(asker: Asker, logName: string): Record<string, unknown> {
  const config = {
    log_name: logName,
    transport_api_version: "V3",
    grpc_service: grpcService(asker),
    custom_tags: [{ tag: "connect_us", value: "%COMMON_DURATION(US_CX_BEG:US_CX_END:us)%" }],
  };
  return {
    name: "envoy.access_loggers.tcp_grpc",
    typed_config: pack("envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig", { common_config: config }),
  };
}

function grpcService({ node, tenant, secret }: Asker): Record<string, unknown> {
  const metadata = {
    "x-dns-node": node,
    ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
    ...(tenant === undefined ? {} : { "x-dns-tenant": tenant }),
  };
  return {
    envoy_grpc: { cluster_name: CLUSTER },
    timeout: TIMEOUT,
    initial_metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  };
}
