/**
 * Which rows of the store somebody wants, in SQL. Whatever was asked for is a value, never text of the statement.
 */
import type { DuckDBValue } from "@duckdb/node-api";
import ipaddr from "ipaddr.js";
import { typeNumber } from "../dns/numbers.ts";
import { parseClients } from "./query-filter.ts";
import type { QueryFilter } from "./questions.ts";
import { clientKey, nameHash } from "./store-rows.ts";

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
  if (name !== undefined) addName(name.toLowerCase(), add);
  if (client !== undefined) {
    const { address, prefix } = parseClients(client);
    const octets = Buffer.from(ipaddr.parse(address).toByteArray());
    add("client BETWEEN ? AND ?", clientKey(edge(octets, prefix, 0)), clientKey(edge(octets, prefix, 0xff)));
  }
  return { text: conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`, values };
}

function addName(name: string, add: (condition: string, ...values: DuckDBValue[]) => void): void {
  const dotted = name.endsWith(".") || name.endsWith("*") ? name : `${name}.`;
  const [, before = "", rest = "", after = ""] = /^(\**)(.*?)(\**)$/s.exec(dotted) ?? [];
  // LIKE, with an escape in it, takes six times as long.
  if (rest.includes("*")) add("qname LIKE ? ESCAPE '!'", dotted.replace(/[!%_]/g, "!$&").replaceAll("*", "%"));
  else if (before !== "" && after !== "") add("contains(qname, ?)", rest);
  else if (before !== "") add("ends_with(qname, ?)", rest);
  else if (after !== "") add("starts_with(qname, ?)", rest);
  else add("name_hash = ? AND qname = ?", nameHash(dotted), dotted);
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
