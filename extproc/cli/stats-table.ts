/**
 * What `dnspolicy stats` prints.
 */
import type { Connections, Mirrors, Overview, Summary, Upstreams } from "../telemetry/questions.ts";
import { formatTable } from "./output.ts";

export interface Stats extends Overview {
  readonly upstreams: Upstreams["upstreams"];
  readonly connections: Connections;
  readonly mirrors: Mirrors;
}

export function statsTable({ window, all, tenants, lost, events, upstreams, connections, mirrors }: Stats): string {
  const head = [
    "TENANT",
    "QUERIES",
    "PER SECOND",
    "DENIED",
    "WOULD DENY",
    "FAILED",
    "FROM CACHE",
    "P50 MS",
    "P99 MS",
    "NAMES",
  ];
  const rows = [["all", all] as const, ...tenants.map((each) => [nameTenant(each.tenant), each] as const)];
  const parts = [
    `the last ${window}; latencies and names are estimates\n`,
    formatTable(
      head,
      rows.map(([name, summary]) => [name, ...summaryCells(summary)]),
    ),
  ];
  if (upstreams.length > 0) {
    const cells = upstreams.map(({ upstream, queries, failed, share, latencyMs }) => {
      return [
        upstream,
        `${queries}`,
        percent(share),
        `${failed}`,
        `${latencyMs?.p50 ?? ""}`,
        `${latencyMs?.p99 ?? ""}`,
      ];
    });
    parts.push("\n", formatTable(["UPSTREAM", "QUERIES", "SHARE", "FAILED", "P50 MS", "P99 MS"], cells));
  }
  parts.push(...mirrorTables(mirrors), ...connectionTables(connections));
  if (lost > 0) parts.push(`\n${lost} events were lost: figures are too low\n`);
  if (events === "Logged") parts.push("\nonly what is to be logged is counted here (Settings.telemetry.events)\n");
  return parts.join("");
}

function summaryCells({
  queries,
  rate,
  denied,
  wouldDeny,
  failed,
  hits,
  misses,
  stale,
  latencyMs,
  uniqueNames,
}: Summary) {
  const cached = hits + stale;
  const ratio = cached + misses === 0 ? "" : percent(cached / (cached + misses));
  const latencies = [`${latencyMs?.p50 ?? ""}`, `${latencyMs?.p99 ?? ""}`];
  return [
    `${queries}`,
    rate.toFixed(1),
    `${denied}`,
    `${wouldDeny}`,
    `${failed}`,
    ratio,
    ...latencies,
    `${uniqueNames}`,
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Nothing where no Envoy has asked about connections. */
function connectionTables({ tenants, unreachable, refused }: Connections): string[] {
  if (tenants.length === 0) return [];
  const head = ["CONNECTIONS OF", "ALLOWED", "REFUSED", "WOULD REFUSE", "CONNECTED", "FAILED", "P50 MS", "P99 MS"];
  const rows = tenants.map(({ tenant, allowed, refused, wouldRefuse, connected, failed, connectMs }) => [
    nameTenant(tenant),
    ...[allowed, refused, wouldRefuse, connected, failed].map(String),
    `${connectMs?.p50 ?? ""}`,
    `${connectMs?.p99 ?? ""}`,
  ]);
  return [
    ...tableOf(head, rows),
    ...tableOf(
      ["RESOLVED, NOT CONNECTED", "TO", "TIMES"],
      unreachable.map(({ name, address, count }) => [name, address, `${count}`]),
    ),
    ...tableOf(
      ["REFUSED", "TENANT", "TIMES"],
      refused.map(({ key, tenant, count }) => [key, nameTenant(tenant), `${count}`]),
    ),
  ];
}

/** Nothing where no rule has a second upstream asked. */
function mirrorTables({ upstreams, differing }: Mirrors): string[] {
  return [
    ...tableOf(
      ["ASKED TOO", "TENANT", "SAME", "DIFFERENT", "FAILED", "P50 MS", "P99 MS"],
      upstreams.map(({ upstream, tenant, same, different, failed, latencyMs }) => [
        upstream,
        nameTenant(tenant),
        ...[same, different, failed].map(String),
        `${latencyMs?.p50 ?? ""}`,
        `${latencyMs?.p99 ?? ""}`,
      ]),
    ),
    ...tableOf(
      ["ANSWERED OTHERWISE", "TYPE", "BY", "RCODE", "INSTEAD OF", "TIMES"],
      differing.map(({ name, type, upstream, first, second, count }) => [
        name,
        type,
        upstream,
        second,
        first,
        `${count}`,
      ]),
    ),
  ];
}

function tableOf(head: readonly string[], rows: readonly string[][]): string[] {
  return rows.length === 0 ? [] : ["\n", formatTable(head, rows)];
}

function nameTenant(tenant: string): string {
  return tenant === "" ? "-" : tenant;
}
