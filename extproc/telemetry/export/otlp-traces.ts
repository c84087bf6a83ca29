/**
 * Traces of queries by OTLP: of each tenant as many as it asks for, drawn when a query's event comes, and those that its clients
 * have said.
 */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, type ReadableSpan, TracerProvider } from "@opentelemetry/sdk-trace";
import { toNumber } from "../../messages/long.ts";
import { PRODUCT, VERSION } from "../../product.ts";
import { Exemplars } from "../exemplars.ts";
import { type TelemetrySettings, telemetryOf, USUAL_SETTINGS } from "../settings.ts";
import type { EventExporter, ExportContext } from "./event-exporter.ts";
import { otlpResource, overhear } from "./otlp.ts";
import { isTraced, QUERY_SPAN, traceQuery } from "./query-spans.ts";
import { SpanIds } from "./span-ids.ts";

/** Traces that may wait to be sent, and spans of one: the SDK's queue holds all of them, so that nothing is lost unseen. */
const MAX_WAITING = 2000;
const MAX_SPANS = 3;
const DELAY_MS = 1000;

export function exportTraces({ random, onTrouble }: ExportContext): EventExporter {
  let settings = USUAL_SETTINGS;
  const exemplars = new Exemplars();
  let waiting = 0;
  let sent = 0;
  let lost = 0;
  let inTrouble = false;
  const exporter = overhear<ReadableSpan[], OTLPTraceExporter>(new OTLPTraceExporter(), (spans, error) => {
    const traces = spans.filter(({ name }) => name === QUERY_SPAN).length;
    waiting -= traces;
    if (error === undefined) sent += traces;
    else lost += traces;
    if (error !== undefined && !inTrouble) onTrouble(`traces cannot be sent by OTLP: ${error.message}`);
    inTrouble = error !== undefined;
  });
  const processor = new BatchSpanProcessor({
    exporter,
    scheduledDelayMillis: DELAY_MS,
    maxQueueSize: MAX_WAITING * MAX_SPANS,
  });
  const ids = new SpanIds();
  const provider = new TracerProvider({ idGenerator: ids, resource: otlpResource(), spanProcessors: [processor] });
  const tracer = provider.getTracer(PRODUCT, VERSION);
  return {
    name: "otlp_traces",
    get sent() {
      return sent;
    },
    get lost() {
      return lost;
    },
    get exemplars() {
      return exemplars.list;
    },
    configure: (newer: TelemetrySettings) => {
      settings = newer;
    },
    take: (events) => {
      for (const event of events) {
        const percent = telemetryOf(settings, event.tenant)?.traces ?? 0;
        // A client that says so wants its query to be traced.
        if (!isTraced(event) && (percent === 0 || random() * 100 >= percent)) continue;
        if (waiting >= MAX_WAITING) {
          lost++;
          continue;
        }
        waiting++;
        const trace = traceQuery(tracer, ids, event);
        const { tenant, transport, latency_us: microseconds } = event;
        exemplars.add({ tenant, transport, microseconds, trace, time: toNumber(event.time_us) });
      }
    },
    close: () => provider.shutdown().catch(() => {}),
  };
}
