/**
 * What Envoys tell of connections that were allowed.
 */
import assert from "node:assert/strict";
import { Metadata, status } from "@grpc/grpc-js";
import type { AccessLogCommon } from "../../../extproc/gen/types/envoy/data/accesslog/v3/AccessLogCommon.ts";
import type { TCPAccessLogEntry } from "../../../extproc/gen/types/envoy/data/accesslog/v3/TCPAccessLogEntry.ts";
import type { StreamAccessLogsMessage } from "../../../extproc/gen/types/envoy/service/accesslog/v3/StreamAccessLogsMessage.ts";
import { accessLogService } from "../../../extproc/server/authorization/access-log.ts";
import type { Connections } from "../../../extproc/telemetry/questions.ts";
import { Harness } from "./harness.ts";
import { bearer } from "./peers.ts";

const ADDRESS = "192.0.2.1";

/** AccessLogType of accesslog.proto. */
const UPSTREAM_CONNECTED = 1;
const CONNECTION_END = 3;

describe("connections that an Envoy has opened", () => {
  let harness: Harness;
  const start = async (options: Parameters<typeof Harness.start>[0] = {}) => {
    harness = await Harness.start(options);
  };
  afterEach(() => harness.stop());

  const opened = async (metadata: Metadata, ...entries: TCPAccessLogEntry[]) => {
    const { path, requestSerialize, responseDeserialize } = accessLogService.StreamAccessLogs;
    await new Promise<void>((resolve, reject) => {
      const call = harness
        .client()
        .makeClientStreamRequest<StreamAccessLogsMessage, unknown>(
          path,
          requestSerialize as (value: StreamAccessLogsMessage) => Buffer,
          responseDeserialize as (bytes: Buffer) => unknown,
          metadata,
          (error) => (error === null ? resolve() : reject(error)),
        );
      call.on("error", () => {});
      for (const entry of entries) call.write({ tcp_logs: { log_entry: [entry] } });
      call.end();
    });
  };
  const entry = (
    common: AccessLogCommon,
    fields: Record<string, { stringValue: string }> = TOLD,
  ): TCPAccessLogEntry => ({
    common_properties: {
      access_log_type: UPSTREAM_CONNECTED,
      downstream_local_address: { socket_address: { address: ADDRESS, port_value: 443 } },
      metadata: { filter_metadata: { "envoy.filters.network.ext_authz": { fields } } },
      ...common,
    },
  });
  const TOLD = { tenant: { stringValue: "frontend" }, name: { stringValue: "www.example.org." } };
  /** Of a listener's own log: one that was open, one that had no server, and one that had ended by itself. */
  const listenersOwn = (): TCPAccessLogEntry[] => {
    const metadata = { filter_metadata: { "envoy.filters.network.ratelimit": { fields: TOLD } } };
    const [open, without, ended] = [
      { upstream_remote_address: { socket_address: { address: "10.0.0.1", port_value: 443 } } },
      { response_flags: { no_healthy_upstream: true } },
      {},
    ].map((common: AccessLogCommon) => entry({ access_log_type: 0, metadata, ...common }));
    return [open, without, ended].filter((each) => each !== undefined);
  };
  const connections = async () => {
    const { text } = await harness.http({ path: "/v1/telemetry/connections" });
    return JSON.parse(text) as Connections;
  };

  it("are told of when they are open, or could not be opened, by the name that allowed them", async () => {
    await start();
    const failed: AccessLogCommon = {
      access_log_type: CONNECTION_END,
      response_flags: { upstream_connection_failure: true },
    };
    await opened(
      new Metadata(),
      entry({ custom_tags: { connect_us: "1500" } }),
      entry({ access_log_type: CONNECTION_END }),
      entry(failed),
      entry(failed),
      entry({ ...failed, downstream_local_address: { socket_address: { address: "2001:db8::1", port_value: 80 } } }),
      entry({}, {}),
      { common_properties: null },
      ...listenersOwn(),
    );
    const { tenants, unreachable } = await connections();
    const [{ connectMs, ...counts } = assert.fail()] = tenants;
    assert.deepEqual(counts, { tenant: "frontend", allowed: 0, refused: 0, wouldRefuse: 0, connected: 2, failed: 4 });
    assert.ok(Math.abs((connectMs?.max ?? 0) - 1.5) < 0.1);
    assert.deepEqual(
      unreachable.map(({ name, address, count }) => [name, address, count]),
      [
        ["www.example.org.", `${ADDRESS}:443`, 3],
        ["www.example.org.", "[2001:db8::1]:80", 1],
      ],
    );
    const { text } = await harness.http({ path: "/metrics" });
    assert.match(text, /^dns_connections_total\{tenant="frontend",outcome="failed"\} 4$/m);
  });

  it("are told of by who knows the token alone", async () => {
    await start({ token: "secret" });
    await assert.rejects(opened(new Metadata(), entry({})), { code: status.UNAUTHENTICATED });
    await opened(bearer("secret"), entry({}));
    assert.equal((await connections()).tenants[0]?.connected, 1);
  });
});
