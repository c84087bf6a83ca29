/**
 * The trace of a query: what the filter did from reading it to giving its answer to Envoy, and in that, what it waited for: the
 * policy service's decision, and the upstream.
 */
import {
  type Attributes,
  type Context,
  type HrTime,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toNumber } from "../../messages/long.ts";
import { toQueryRecord } from "../query-record.ts";

const FAILED = 3;

/** Ends all of its spans. Returns the trace's id, in hexadecimal digits. */
export function traceQuery(tracer: Tracer, parent: Context, event: QueryEvent__Output): string {
  const start = toNumber(event.time_us);
  const end = start + event.latency_us;
  const query = tracer.startSpan(
    "query",
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
  part("upstream", start + event.upstream_after_us, event.upstream_us, { "dns.mesh.upstream": event.upstream });
  query.end(hrTime(end));
  return query.spanContext().traceId;
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
