/**
 * envoy.service.accesslog.v3.AccessLogService: what became of connections that were allowed, as the Envoy tells that opened
 * them. Its entries carry the tenant and the name that allowed each (authorization.ts puts them there).
 */
import { type ServerReadableStream, type sendUnaryData, status } from "@grpc/grpc-js";
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

/** AccessLogType of accesslog.proto. */
const UPSTREAM_CONNECTED = 1;
const CONNECTION_END = 3;

/** The moment in which a connection was open, or in which it was clear that it would not be; undefined for all else. */
export function readEntry({ common_properties: common }: TCPAccessLogEntry__Output): ConnectionEvent | undefined {
  const failed = common?.response_flags?.upstream_connection_failure === true;
  const type = Number(common?.access_log_type);
  if (!(failed ? type === CONNECTION_END : type === UPSTREAM_CONNECTED)) return undefined;
  const fields = common?.metadata?.filter_metadata["envoy.filters.network.ext_authz"]?.fields;
  const tenant = fields?.tenant?.stringValue;
  const { address = "", port_value: port = 0 } = common?.downstream_local_address?.socket_address ?? {};
  if (tenant === undefined || address === "") return undefined;
  const name = fields?.name?.stringValue ?? "";
  const connectUs = Number(common?.custom_tags.connect_us);
  const took = failed || !Number.isFinite(connectUs) ? {} : { connectUs };
  return { tenant, outcome: failed ? "failed" : "connected", address, port, ...(name === "" ? {} : { name }), ...took };
}
