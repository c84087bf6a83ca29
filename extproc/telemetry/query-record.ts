/**
 * A QueryEvent in words: a line of the query log, and what is told of a query elsewhere.
 */

import { presentAddress } from "../dns/address.ts";
import { presentName } from "../dns/names.ts";
import { rcodeName, typeName } from "../dns/numbers.ts";
import type { Audit__Output } from "../gen/types/dns/mesh/v1/Audit.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toNumber } from "../messages/long.ts";
import { CACHE_RESULTS, nameOf, OUTCOMES, RULE_ACTIONS, TRANSPORTS } from "./labels.ts";
import type { QueryRecord } from "./questions.ts";

type Loose<T> = { readonly [K in keyof T]: T[K] | undefined };

/** Without its final line feed. */
export function queryRecord(event: QueryEvent__Output): string {
  return JSON.stringify(toQueryRecord(event));
}

/** Fields that say nothing are undefined, and are left out of JSON. */
export function toQueryRecord(event: QueryEvent__Output): Loose<QueryRecord> {
  const policy = event.policy === "" ? undefined : event.policy;
  return {
    time: isoTime(toNumber(event.time_us)),
    tenant: event.tenant,
    client: presentAddress(event.client),
    principal: event.principal === "" ? undefined : event.principal,
    namespace: event.namespace === "" ? undefined : event.namespace,
    workload: event.workload === "" ? undefined : event.workload,
    transport: nameOf(TRANSPORTS, event.transport),
    qname: presentName(event.qname),
    qtype: event.qtype === 0 ? undefined : typeName(event.qtype),
    outcome: nameOf(OUTCOMES, event.outcome),
    policy,
    rule: event.rule === "" ? undefined : event.rule,
    rcode: rcodeName(event.rcode),
    ede: event.ede === 0 ? undefined : event.ede - 1,
    latency_us: event.latency_us,
    flags: presentFlags(event.flags),
    cache: event.cache === 0 ? undefined : nameOf(CACHE_RESULTS, event.cache),
    revision: toNumber(event.revision),
    upstream: event.upstream === "" ? undefined : event.upstream,
    rewritten: event.rewritten.length === 0 ? undefined : presentName(event.rewritten),
    decision_us: event.decision_us === 0 ? undefined : event.decision_us,
    upstream_us: event.upstream_us === 0 ? undefined : event.upstream_us,
    answers: event.answers.length === 0 ? undefined : presentAddresses(event.answers),
    audit: event.audits.length === 0 ? undefined : event.audits.map(presentAudit),
  };
}

/** As dig names them (RFC 1035, section 4.1.1; RFC 4035, section 3; RFC 3225); highest first. */
const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x8000, "do"],
  [0x0400, "aa"],
  [0x0200, "tc"],
  [0x0100, "rd"],
  [0x0080, "ra"],
  [0x0020, "ad"],
  [0x0010, "cd"],
];

export function presentFlags(flags: number): string | undefined {
  const set = FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name);
  return set.length === 0 ? undefined : set.join(" ");
}

/** What a rule in mode Audit would have done. */
function presentAudit({ policy, rule, action }: Audit__Output) {
  return { policy, rule, would: nameOf(RULE_ACTIONS, action) };
}

/** Each address after an octet that says how long it is. */
export function presentAddresses(octets: Uint8Array): string[] {
  const addresses: string[] = [];
  for (let at = 0; at < octets.length; at += (octets[at] ?? 0) + 1) {
    const address = presentAddress(octets.subarray(at + 1, at + 1 + (octets[at] ?? 0)));
    if (address !== "") addresses.push(address);
  }
  return addresses;
}

/** The last moment that Date knows. */
const MAX_TIME_US = 8.64e18;

/** RFC 3339, to the microsecond. */
export function isoTime(microseconds: number): string {
  if (microseconds > MAX_TIME_US) return "";
  const milliseconds = Math.floor(microseconds / 1000);
  const rest = String(microseconds % 1000).padStart(3, "0");
  return new Date(milliseconds).toISOString().replace("Z", `${rest}Z`);
}
