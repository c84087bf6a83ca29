/**
 * Exporters, as the thread of telemetry is told of them.
 */
import type { Endpoint } from "../../endpoint.ts";
import type { ClickHouseTarget } from "./clickhouse.ts";
import { exportDnstap } from "./dnstap.ts";
import type { EventExporter, ExportContext } from "./event-exporter.ts";
import { exportSyslog, type SyslogTarget } from "./syslog.ts";
import { exportWebhook, type WebhookTarget } from "./webhook.ts";

export interface ExportOptions {
  readonly dnstap?: Endpoint | undefined;
  readonly syslog?: SyslogTarget | undefined;
  readonly webhooks?: readonly WebhookTarget[];
  readonly clickhouse?: ClickHouseTarget | undefined;
  /** By OTLP, as variables of the environment say. */
  readonly traces?: boolean;
}

export async function openExporters(options: ExportOptions, context: ExportContext): Promise<EventExporter[]> {
  const { dnstap, syslog, webhooks = [], clickhouse, traces = false } = options;
  const exporters: EventExporter[] = [];
  if (dnstap !== undefined) exporters.push(exportDnstap(dnstap, context));
  if (syslog !== undefined) exporters.push(exportSyslog(syslog, context));
  for (const webhook of webhooks) exporters.push(exportWebhook(webhook, context));
  // These packages are loaded only where they are needed.
  if (clickhouse !== undefined) exporters.push((await import("./clickhouse.ts")).exportClickHouse(clickhouse, context));
  if (traces) exporters.push((await import("./otlp-traces.ts")).exportTraces(context));
  return exporters;
}
