/**
 * A past query as a row of the store, and back.
 */
import { hash } from "node:crypto";
import type { DuckDBAppender, DuckDBValue } from "@duckdb/node-api";
import { presentAddress } from "../dns/address.ts";
import { presentName } from "../dns/names.ts";
import { rcodeName, typeName } from "../dns/numbers.ts";
import type { QueryEvent__Output } from "../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toNumber } from "../messages/long.ts";
import { CACHE_RESULTS, nameOf, OUTCOMES, RULE_ACTIONS, TRANSPORTS } from "./labels.ts";
import { isoTime, presentAddresses, presentFlags } from "./query-record.ts";
import type { QueryRecord } from "./questions.ts";

/** What tables of an earlier version are without, and have behind all else. */
export const ADDED: readonly string[] = [
  "identity VARCHAR",
  "flags USMALLINT",
  "rewritten VARCHAR",
  "decision_us UINTEGER",
];

/**
 * The hash of a name is for finding it: DuckDB looks through numbers ten times as fast as it unpacks texts. It takes two octets
 * a row, and leaves so few rows that their names cost nothing.
 */
export const TABLE = `CREATE TABLE IF NOT EXISTS queries (
  id BIGINT, time_us BIGINT, tenant VARCHAR, client VARCHAR, transport UTINYINT, qname VARCHAR, qtype USMALLINT,
  outcome VARCHAR, policy VARCHAR, rule VARCHAR, rcode USMALLINT, ede UINTEGER, latency_us UINTEGER, cache UTINYINT,
  revision BIGINT, upstream VARCHAR, upstream_us UINTEGER, answers VARCHAR, audit VARCHAR, name_hash BIGINT,
  ${ADDED.join(", ")})`;

/** What `nameHash` says of the name in a row. */
export const NAME_HASH = "('0x' || left(sha256(qname), 4))::BIGINT";

export function nameHash(qname: string): bigint {
  // As digits it costs half of what octets do.
  return BigInt(`0x${hash("sha256", qname).slice(0, 4)}`);
}

/** In the order of the table, of which they are all but the hash. */
export const COLUMNS =
  "id, time_us, tenant, client, transport, qname, qtype, outcome, policy, rule, rcode, ede, latency_us, cache, " +
  "revision, upstream, upstream_us, answers, audit, identity, flags, rewritten, decision_us";

/** In the order of the table. */
export function appendRow(row: DuckDBAppender, id: bigint, event: QueryEvent__Output): void {
  const qname = presentName(event.qname).toLowerCase();
  row.appendBigInt(id);
  row.appendBigInt(BigInt(toNumber(event.time_us)));
  row.appendVarchar(event.tenant);
  row.appendVarchar(clientKey(event.client));
  row.appendUTinyInt(event.transport);
  row.appendVarchar(qname);
  row.appendUSmallInt(event.qtype);
  row.appendVarchar(nameOf(OUTCOMES, event.outcome));
  row.appendVarchar(event.policy);
  row.appendVarchar(event.rule);
  row.appendUSmallInt(event.rcode);
  row.appendUInteger(event.ede);
  row.appendUInteger(event.latency_us);
  row.appendUTinyInt(event.cache);
  row.appendBigInt(BigInt(toNumber(event.revision)));
  row.appendVarchar(event.upstream);
  row.appendUInteger(event.upstream_us);
  row.appendVarchar(Buffer.from(event.answers).toString("hex"));
  row.appendVarchar(event.audits.length === 0 ? "" : auditsOf(event));
  row.appendBigInt(nameHash(qname));
  row.appendVarchar(identityOf(event));
  row.appendUSmallInt(event.flags);
  row.appendVarchar(event.rewritten.length === 0 ? "" : presentName(event.rewritten));
  row.appendUInteger(event.decision_us);
  row.endRow();
}

/** Namespace, workload and principal, a line each, the last with whatever it has: as one text they cost a third. */
function identityOf({ principal, namespace, workload }: QueryEvent__Output): string {
  return principal === "" && workload === "" ? "" : `${namespace}\n${workload}\n${principal}`;
}

function auditsOf({ audits }: QueryEvent__Output): string {
  return JSON.stringify(
    audits.map(({ policy, rule, action }) => ({ policy, rule, would: nameOf(RULE_ACTIONS, action) })),
  );
}

/** Addresses as hexadecimal digits of IPv6 (IPv4 as ::ffff:0:0/96), so that a network is a range of texts. */
export function clientKey(octets: Uint8Array): string {
  const hex = Buffer.from(octets).toString("hex");
  return octets.length === 4 ? IPV4 + hex : hex;
}

/** RFC 4291, section 2.5.5.2. */
const IPV4 = "00000000000000000000ffff";

function addressOf(key: string): string {
  const hex = key.startsWith(IPV4) ? key.slice(IPV4.length) : key;
  return presentAddress(Buffer.from(hex, "hex"));
}

export function readRow(row: readonly DuckDBValue[]): QueryRecord {
  const text = (index: number) => String(row[index] ?? "");
  const number = (index: number) => Number(row[index] ?? 0);
  const [qtype, policy, rule, ede, cache, upstream] = [number(6), text(8), text(9), number(11), number(13), text(15)];
  const [upstreamUs, answers, audit] = [number(16), text(17), text(18)];
  const [namespace = "", workload = "", ...lines] = text(19).split("\n");
  const principal = lines.join("\n");
  const [flags, rewritten, decisionUs] = [presentFlags(number(20)), text(21), number(22)];
  return {
    time: isoTime(number(1)),
    tenant: text(2),
    client: addressOf(text(3)),
    ...(principal === "" ? {} : { principal }),
    ...(namespace === "" ? {} : { namespace }),
    ...(workload === "" ? {} : { workload }),
    transport: nameOf(TRANSPORTS, number(4)),
    qname: text(5),
    ...(qtype === 0 ? {} : { qtype: typeName(qtype) }),
    outcome: text(7),
    ...(policy === "" ? {} : { policy }),
    ...(rule === "" ? {} : { rule }),
    rcode: rcodeName(number(10)),
    ...(ede === 0 ? {} : { ede: ede - 1 }),
    latency_us: number(12),
    ...(flags === undefined ? {} : { flags }),
    ...(cache === 0 ? {} : { cache: nameOf(CACHE_RESULTS, cache) }),
    revision: number(14),
    ...(upstream === "" ? {} : { upstream }),
    ...(rewritten === "" ? {} : { rewritten }),
    ...(decisionUs === 0 ? {} : { decision_us: decisionUs }),
    ...(upstreamUs === 0 ? {} : { upstream_us: upstreamUs }),
    ...(answers === "" ? {} : { answers: presentAddresses(Buffer.from(answers, "hex")) }),
    ...(audit === "" ? {} : { audit: JSON.parse(audit) as NonNullable<QueryRecord["audit"]> }),
  };
}
