/**
 * One line of the query log: a QueryEvent in words.
 */
import type { Audit__Output } from "../gen/types/dns/mesh/v1/Audit.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toNumber } from "../messages/long.ts";
import {
  CACHE_RESULTS,
  nameOf,
  OUTCOMES,
  presentAddress,
  presentName,
  RULE_ACTIONS,
  rcodeName,
  TRANSPORTS,
  typeName,
} from "./names.ts";

/** Without its final line feed. Fields that say nothing are left out. */
export function queryRecord(event: QueryEvent__Output): string {
  const policy = event.policy === "" ? undefined : event.policy;
  return JSON.stringify({
    time: isoTime(toNumber(event.time_us)),
    tenant: event.tenant,
    client: presentAddress(event.client),
    transport: nameOf(TRANSPORTS, event.transport),
    qname: presentName(event.qname),
    qtype: event.qtype === 0 ? undefined : typeName(event.qtype),
    outcome: nameOf(OUTCOMES, event.outcome),
    policy,
    rule: event.rule === "" ? undefined : event.rule,
    rcode: rcodeName(event.rcode),
    ede: event.ede === 0 ? undefined : event.ede - 1,
    latency_us: event.latency_us,
    cache: event.cache === 0 ? undefined : nameOf(CACHE_RESULTS, event.cache),
    revision: toNumber(event.revision),
    upstream: event.upstream === "" ? undefined : event.upstream,
    audit: event.audits.length === 0 ? undefined : event.audits.map(presentAudit),
  });
}

/** What a rule in mode Audit would have done. */
function presentAudit({ policy, rule, action }: Audit__Output) {
  return { policy, rule, would: nameOf(RULE_ACTIONS, action) };
}

/** The last moment that Date knows. */
const MAX_TIME_US = 8.64e18;

/** RFC 3339, to the microsecond. */
function isoTime(microseconds: number): string {
  if (microseconds > MAX_TIME_US) return "";
  const milliseconds = Math.floor(microseconds / 1000);
  const rest = String(microseconds % 1000).padStart(3, "0");
  return new Date(milliseconds).toISOString().replace("Z", `${rest}Z`);
}
