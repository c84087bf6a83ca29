/**
 * Which rows of the store somebody wants, in SQL. Whatever was asked for is a value, never text of the statement.
 */
import type { DuckDBValue } from "@duckdb/node-api";
import ipaddr from "ipaddr.js";
import { typeNumber } from "../dns/numbers.ts";
import { parseClients } from "./query-filter.ts";
import type { QueryFilter } from "./questions.ts";
import { clientKey } from "./store-rows.ts";

export interface Sql {
  readonly text: string;
  readonly values: readonly DuckDBValue[];
}

export interface Wanted {
  readonly filter: QueryFilter;
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export function conditionsOf({ filter, since, until }: Wanted): Sql {
  const conditions: string[] = [];
  const values: DuckDBValue[] = [];
  const add = (condition: string, ...more: DuckDBValue[]) => {
    conditions.push(condition);
    values.push(...more);
  };
  const { tenant, verdict, name, client, type, rule } = filter;
  if (since !== undefined) add("time_us >= ?", BigInt(Math.floor(since)) * 1000n);
  if (until !== undefined) add("time_us < ?", BigInt(Math.floor(until)) * 1000n);
  if (tenant !== undefined) add("tenant = ?", tenant);
  if (verdict !== undefined) add("outcome = ?", verdict);
  if (type !== undefined) add("qtype = ?", typeNumber(type));
  if (rule !== undefined) {
    const [policy = "", ...rest] = rule.split("/");
    if (rest.length === 0) add("policy = ?", policy);
    else add("policy = ? AND rule = ?", policy, rest.join("/"));
  }
  if (name !== undefined) {
    const folded = name.toLowerCase();
    const dotted = folded.endsWith(".") || folded.endsWith("*") ? folded : `${folded}.`;
    if (!dotted.includes("*")) add("qname = ?", dotted);
    else add("qname LIKE ? ESCAPE '!'", dotted.replace(/[!%_]/g, "!$&").replaceAll("*", "%"));
  }
  if (client !== undefined) {
    const { address, prefix } = parseClients(client);
    const octets = Buffer.from(ipaddr.parse(address).toByteArray());
    add("client BETWEEN ? AND ?", clientKey(edge(octets, prefix, 0)), clientKey(edge(octets, prefix, 0xff)));
  }
  return { text: conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`, values };
}

export function and({ text, values }: Sql, condition: string, ...more: DuckDBValue[]): Sql {
  return { text: text === "" ? `WHERE ${condition}` : `${text} AND ${condition}`, values: [...values, ...more] };
}

/** The first or the last address of a network: bits after the prefix are those of `fill`. */
function edge(octets: Buffer, prefix: number, fill: number): Buffer {
  return Buffer.from(
    octets.map((octet, index) => {
      const kept = Math.min(8, Math.max(0, prefix - 8 * index));
      const mask = (0xff << (8 - kept)) & 0xff;
      return (octet & mask) | (fill & ~mask & 0xff);
    }),
  );
}
