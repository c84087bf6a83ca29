/**
 * The table of queries in ClickHouse, and a query as a row of it: in the words of the query log, by the names of its fields.
 */
import type { ClickHouseClient } from "@clickhouse/client";
import type { QueryEvent__Output } from "../../gen/types/dns/mesh/v1/QueryEvent.ts";
import { toNumber } from "../../messages/long.ts";
import { toQueryRecord } from "../query-record.ts";

/** The first that surely has all that makes a table small, empties it by itself, and tells a batch that comes twice. */
const MODERN = 23;
/** The last second of a DateTime. */
const MAX_SECONDS = 2 ** 32 - 1;

type Request = Pick<Parameters<ClickHouseClient["command"]>[0], "abort_signal" | "auth">;

export async function isModern(client: ClickHouseClient, request: Request): Promise<boolean> {
  const answer = await client.query({ ...request, query: "SELECT version() AS version", format: "JSONEachRow" });
  const [{ version } = { version: "" }] = await answer.json<{ version: string }>();
  return Number.parseInt(version, 10) >= MODERN;
}

export function createStatement(table: string, modern: boolean): string {
  const word = modern ? "LowCardinality(String)" : "String";
  return `CREATE TABLE IF NOT EXISTS ${table} (
  time DateTime('UTC'), time_us UInt64, expires DateTime('UTC'), node ${word}, tenant ${word}, client String,
  principal String, namespace ${word}, workload String, transport ${word}, qname String, qtype ${word}, outcome ${word}, policy ${word}, rule ${word}, rcode ${word},
  ede Nullable(UInt32), latency_us UInt32, flags ${word}, cache ${word}, revision UInt64, upstream ${word}, upstream_us UInt32,
  decision_us UInt32, rewritten String, answers Array(String),
  audit Nested(policy ${word}, rule ${word}, would ${word})
) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY (tenant, time)${modern ? MODERN_CLAUSES : ""}`;
}

/** Rows go when they are to, and batches that are sent again, because the answer was lost, are known by their tokens. */
const MODERN_CLAUSES = "\nTTL expires SETTINGS non_replicated_deduplication_window = 100";

/** `keepMs`: for how long it is kept. */
export function rowOf(event: QueryEvent__Output, node: string, keepMs: number) {
  const { audit = [], ...record } = toQueryRecord(event);
  const microseconds = toNumber(event.time_us);
  const time = Math.min(MAX_SECONDS, Math.floor(microseconds / 1e6));
  return {
    ...record,
    time,
    time_us: microseconds,
    expires: Math.min(MAX_SECONDS, time + Math.ceil(keepMs / 1000)),
    node,
    "audit.policy": audit.map(({ policy }) => policy),
    "audit.rule": audit.map(({ rule }) => rule),
    "audit.would": audit.map(({ would }) => would),
  };
}
