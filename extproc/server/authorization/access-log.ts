/**
 * envoy.service.accesslog.v3.AccessLogService: what became of connections that were allowed, as the Envoy tells that opened
 * them. Its entries carry the tenant and the name that allowed each (authorization.ts and rate-limit.ts put them there).
 */
import { type ServerReadableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import type { AccessLogCommon__Output } from "../../gen/types/envoy/data/accesslog/v3/AccessLogCommon.ts";
import type { TCPAccessLogEntry__Output } from "../../gen/types/envoy/data/accesslog/v3/TCPAccessLogEntry.ts";
import type {
  StreamAccessLogsMessage,
  StreamAccessLogsMessage__Output,
} from "../../gen/types/envoy/service/accesslog/v3/StreamAccessLogsMessage.ts";
import type {
  StreamAccessLogsResponse,
  StreamAccessLogsResponse__Output,
} from "../../gen/types/envoy/service/accesslog/v3/StreamAccessLogsResponse.ts";
import { method } from "../../messages/protos.ts";
import type { ConnectionEvent } from "../../telemetry/connection-event.ts";
import { admits, type GrpcService } from "../grpc-service.ts";
import type { Token } from "../token.ts";

export const accessLogService = {
  StreamAccessLogs: method<
    StreamAccessLogsMessage,
    StreamAccessLogsMessage__Output,
    StreamAccessLogsResponse,
    StreamAccessLogsResponse__Output
  >("envoy.service.accesslog.v3.AccessLogService", "StreamAccessLogs"),
};

export interface AccessLogDependencies {
  readonly token: Token | undefined;
  readonly onConnection: (event: ConnectionEvent) => void;
}

type Call = ServerReadableStream<StreamAccessLogsMessage__Output, StreamAccessLogsResponse>;

export function accessLog({ token, onConnection }: AccessLogDependencies): GrpcService {
  const stream = (call: Call, callback: sendUnaryData<StreamAccessLogsResponse>): void => {
    if (!admits(token, call.metadata)) {
      callback({ code: status.UNAUTHENTICATED, details: "expected the service's token" });
      return;
    }
    call.on("data", ({ tcp_logs }: StreamAccessLogsMessage__Output) => {
      for (const entry of tcp_logs?.log_entry ?? []) {
        const event = readEntry(entry);
        if (event !== undefined) onConnection(event);
      }
    });
    call.on("end", () => callback(null, {}));
    call.on("error", () => {});
  };
  return { definition: accessLogService, implementation: { StreamAccessLogs: stream } };
}

/** AccessLogType of accesslog.proto; a listener's own log has none, and a line for each connection that has ended. */
const LISTENER = 0;
const UPSTREAM_CONNECTED = 1;
const CONNECTION_END = 3;

/** Filters that ask us of a connection. */
const ASKING = ["envoy.filters.network.ext_authz", "envoy.filters.network.ratelimit"];

/** Undefined for what does not say whether a connection came about that we were asked of. */
export function readEntry({ common_properties: common }: TCPAccessLogEntry__Output): ConnectionEvent | undefined {
  const outcome = common ? outcomeOf(common) : undefined;
  const filters = common?.metadata?.filter_metadata ?? {};
  const fields = ASKING.map((name) => filters[name]?.fields).find((each) => each !== undefined);
  const tenant = fields?.tenant?.stringValue;
  const { address = "", port_value: port = 0 } = common?.downstream_local_address?.socket_address ?? {};
  if (outcome === undefined || tenant === undefined || address === "") return undefined;
  const name = fields?.name?.stringValue ?? "";
  const connectUs = Number(common?.custom_tags.connect_us);
  const took = outcome === "failed" || !Number.isFinite(connectUs) ? {} : { connectUs };
  return { tenant, outcome, address, port, ...(name === "" ? {} : { name }), ...took };
}

function outcomeOf({ access_log_type, response_flags: flags, upstream_remote_address }: AccessLogCommon__Output) {
  const failed = flags?.upstream_connection_failure === true || flags?.no_healthy_upstream === true;
  switch (Number(access_log_type)) {
    case UPSTREAM_CONNECTED:
      return failed ? undefined : "connected";
    case CONNECTION_END:
      return failed ? "failed" : undefined;
    case LISTENER:
      if (failed) return "failed";
      return upstream_remote_address ? "connected" : undefined;
    default:
      return undefined;
  }
}
