/**
 * The trace of a query: what the filter did from reading it to giving its answer to Envoy, and in that, what it waited for: the
 * policy service's decision, and the upstream.
 */
import {
  type Attributes,
  type Context,
  type HrTime,
  isValidSpanId,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toNumber } from "../../messages/long.ts";
import { toQueryRecord } from "../query-record.ts";
import type { SpanIds } from "./span-ids.ts";

/** Of a trace, the span that every one has. */
export const QUERY_SPAN = "query";

const FAILED = 3;

/** Octets of QueryEvent.trace. */
const TRACE_ID = 16;
const PARENT_ID = 8;

/** Whether the query is part of a trace that its client has said. */
export function isTraced({ trace }: QueryEvent__Output): boolean {
  return trace.length > TRACE_ID + PARENT_ID;
}

/**
 * Ends all of its spans. Returns the trace's id, in hexadecimal digits. Who is told of a trace beside us knows it by the numbers
 * in the event.
 */
export function traceQuery(tracer: Tracer, ids: SpanIds, event: QueryEvent__Output): string {
  const parent = contextOf(event, ids);
  const start = toNumber(event.time_us);
  const end = start + event.latency_us;
  const query = tracer.startSpan(
    QUERY_SPAN,
    { kind: SpanKind.SERVER, startTime: hrTime(start), attributes: attributesOf(event) },
    parent,
  );
  if (event.outcome === FAILED) query.setStatus({ code: SpanStatusCode.ERROR });
  const inside = trace.setSpan(parent, query);
  const part = (name: string, from: number, microseconds: number, attributes: Attributes = {}) => {
    if (microseconds === 0) return;
    const options = { kind: SpanKind.CLIENT, startTime: hrTime(from), attributes };
    tracer.startSpan(name, options, inside).end(hrTime(Math.min(end, from + microseconds)));
  };
  // What a query needs a verdict for comes first; only targets of an answer come later.
  part("decision", start, event.decision_us);
  if (event.span.length === PARENT_ID && event.upstream_us > 0) ids.nextSpan = hexOf(event.span);
  part("upstream", start + event.upstream_after_us, event.upstream_us, { "dns.mesh.upstream": event.upstream });
  query.end(hrTime(end));
  return query.spanContext().traceId;
}

/** What another thread sent has plain octets. */
function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}

/** Without a parent, the trace begins here, also one that the client has said. */
function contextOf(event: QueryEvent__Output, ids: SpanIds): Context {
  if (!isTraced(event)) return ROOT_CONTEXT;
  const traceId = hexOf(event.trace.subarray(0, TRACE_ID));
  const spanId = hexOf(event.trace.subarray(TRACE_ID, TRACE_ID + PARENT_ID));
  if (isValidSpanId(spanId)) {
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  }
  ids.nextTrace = traceId;
  return ROOT_CONTEXT;
}

/** What OpenTelemetry has names for, and in the query log's words what it has none for; times are the spans' own. */
function attributesOf(event: QueryEvent__Output): Attributes {
  const { time, latency_us, decision_us, upstream_us, ...rest } = toQueryRecord(event);
  const { client, transport, qname, qtype, rcode, ede, answers, audit, ...ours } = rest;
  const known: Attributes = {
    "client.address": client,
    "dns.question.name": qname,
    "dns.answers": answers as string[] | undefined,
    "dns.mesh.transport": transport,
    "dns.mesh.qtype": qtype,
    "dns.mesh.rcode": rcode,
    "dns.mesh.ede": ede,
    "dns.mesh.audit": audit === undefined ? undefined : JSON.stringify(audit),
  };
  for (const [name, value] of Object.entries(ours)) known[`dns.mesh.${name}`] = value as string;
  return known;
}

function hrTime(microseconds: number): HrTime {
  return [Math.floor(microseconds / 1e6), (microseconds % 1e6) * 1000];
}
