/**
 * Reports of workers, as they arrive: encoded and decoded.
 */
import type { Comparison } from "../../../extproc/gen/types/dns/mesh/v1/Comparison.ts";
import type { EventBatch, EventBatch__Output } from "../../../extproc/gen/types/dns/mesh/v1/EventBatch.ts";
import type { QueryEvent, QueryEvent__Output } from "../../../extproc/gen/types/dns/mesh/v1/QueryEvent.ts";
import type { Report, Report__Output } from "../../../extproc/gen/types/dns/mesh/v1/Report.ts";
import { messageType } from "../../../extproc/messages/protos.ts";

const reportType = messageType<Report, Report__Output>("dns.mesh.v1.Report");

export function reportOf(report: Report): Report__Output {
  return reportType.decode(reportType.encode(report));
}

const batchType = messageType<EventBatch, EventBatch__Output>("dns.mesh.v1.EventBatch");

/** As a Report carries them. */
export function batchOf(...events: QueryEvent[]): Buffer {
  return batchType.encode({ events });
}

/** What second upstreams have said, as a Report carries it; may follow events. */
export function comparisonsOf(...comparisons: Comparison[]): Buffer {
  return batchType.encode({ comparisons });
}

/** As the service reads them. */
export function readEvents(batch: Buffer): QueryEvent__Output[] {
  return batchType.decode(batch).events;
}

export function readEvent(event: QueryEvent): QueryEvent__Output {
  const [read] = readEvents(batchOf(event));
  if (read === undefined) throw new Error("expected an event, got none");
  return read;
}

export function eventOf(changes: QueryEvent = {}): QueryEvent {
  return {
    time_us: 1_700_000_000_123_456,
    tenant: "frontend",
    client: Buffer.from([127, 0, 1, 1]),
    transport: 2,
    qname: Buffer.from("\x03www\x07example\x03com\x00", "latin1"),
    qtype: 28,
    outcome: 1,
    policy: "no-com",
    rule: "deny-com",
    rcode: 3,
    ede: 16,
    latency_us: 120,
    cache: 0,
    revision: 7,
    logged: true,
    ...changes,
  };
}
