/**
 * The commands that say who asked what: logs, top, stats.
 */
import { stringify } from "yaml";
import type {
  Connections,
  Mirrors,
  Overview,
  QueryFilter,
  QueryPage,
  QueryRecord,
  Top,
  TopKind,
  Upstreams,
  Window,
} from "../telemetry/questions.ts";
import { askJson, type ClientOptions, openStream } from "./ask.ts";
import type { Context } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { count, formatTable, type Output, print } from "./output.ts";
import { painter } from "./paint.ts";
import { ServerEvents } from "./server-events.ts";
import { statsTable } from "./stats-table.ts";

/** Between two looks of --watch. */
const WATCH_MS = 2000;
const CLEAR = "\x1b[H\x1b[2J";

export interface FilterOptions extends ClientOptions, QueryFilter {
  readonly output?: Output;
}

export interface LogsOptions extends FilterOptions {
  readonly follow?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}

/** Past queries, oldest first, as one reads a log; or queries from now on, until stopped. */
export async function runLogs(context: Context, options: LogsOptions): Promise<ExitCode> {
  return options.follow === true ? followLogs(context, options) : pastLogs(context, options);
}

async function pastLogs(context: Context, options: LogsOptions): Promise<ExitCode> {
  const { since, until, limit } = options;
  const query = queryOf({ ...filterOf(options), since, until, limit });
  const { queries } = await askJson<QueryPage>(context, options, `/v1/telemetry/queries${query}`);
  const write = recordWriter(context, options.output);
  for (const record of [...queries].reverse()) write(record);
  return ExitCode.OK;
}

/** With --limit, until there were so many. */
async function followLogs(context: Context, options: LogsOptions): Promise<ExitCode> {
  const write = recordWriter(context, options.output);
  let left = options.limit === "" ? Number.POSITIVE_INFINITY : Number(options.limit);
  const stopped = new AbortController();
  context.onStop(() => stopped.abort());
  const events = new ServerEvents((event, data) => {
    if (event === "lost") {
      context.stderr.write(`${count((JSON.parse(data) as { lost: number }).lost, "query")} left out: too many\n`);
    } else if (event === "query" && left-- > 0) {
      write(JSON.parse(data) as QueryRecord);
      if (left <= 0) stopped.abort();
    }
  });
  const path = `/v1/telemetry/events${queryOf(filterOf(options))}`;
  await openStream(context, options, path, (text) => events.push(text), stopped.signal);
  return ExitCode.OK;
}

interface ViewOptions extends ClientOptions {
  readonly output?: Output;
  readonly window: Window;
  readonly tenant?: string;
  readonly watch?: boolean;
}

export function runTop(
  context: Context,
  options: ViewOptions & { readonly kind: TopKind; readonly limit: string },
): Promise<ExitCode> {
  return view(context, options, async () => {
    const { window, tenant, kind, limit } = options;
    const path = `/v1/telemetry/top${queryOf({ window, tenant, kind, limit })}`;
    const top = await askJson<Top>(context, options, path);
    const rows = top.items.map(({ key, count: queries, over }) => [over === 0 ? `${queries}` : `<= ${queries}`, key]);
    return { value: top, table: () => formatTable(["QUERIES", kind.toUpperCase()], rows) };
  });
}

export function runStats(context: Context, options: ViewOptions): Promise<ExitCode> {
  return view(context, options, async () => {
    const query = queryOf({ window: options.window, tenant: options.tenant });
    const overview = await askJson<Overview>(context, options, `/v1/telemetry/overview${query}`);
    const { upstreams } = await askJson<Upstreams>(context, options, `/v1/telemetry/upstreams${query}`);
    const connections = await askJson<Connections>(context, options, `/v1/telemetry/connections${query}`);
    const mirrors = await askJson<Mirrors>(context, options, `/v1/telemetry/mirrors${query}`);
    const stats = { ...overview, upstreams, connections, mirrors };
    return { value: stats, table: () => statsTable(stats) };
  });
}

interface View {
  readonly value: object;
  readonly table: () => string;
}

/** Once, or again and again in place of what was there. */
async function view(context: Context, options: ViewOptions, look: () => Promise<View>): Promise<ExitCode> {
  const show = async (before: string) => {
    const { value, table } = await look();
    if (before !== "") context.stdout.write(before);
    print(context, options.output, value, table);
  };
  await show("");
  if (options.watch !== true) return ExitCode.OK;
  const clear = (options.output ?? "table") === "table" ? CLEAR : "";
  await new Promise<void>((resolve, reject) => {
    const cancel = context.clock.every(WATCH_MS, () => void show(clear).catch(reject));
    context.onStop(() => {
      cancel();
      resolve();
    });
  });
  return ExitCode.OK;
}

function filterOf({
  tenant,
  verdict,
  name,
  client,
  type,
  rule,
}: FilterOptions): Readonly<Record<string, string | undefined>> {
  return { tenant, verdict, name, client, type, rule };
}

function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(parameters).filter((entry): entry is [string, string] => (entry[1] ?? "") !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

/** JSON is one line a query; a table has colours where it is a terminal's. */
function recordWriter(context: Context, output: Output | undefined): (record: QueryRecord) => void {
  if (output === "json") return (record) => context.stdout.write(`${JSON.stringify(record)}\n`);
  if (output === "yaml") return (record) => context.stdout.write(`---\n${stringify(record)}`);
  const paint = painter(context);
  return (record) => {
    const {
      time,
      tenant,
      client,
      qname,
      qtype = "",
      outcome,
      rcode,
      policy,
      rule,
      cache,
      latency_us,
      answers,
    } = record;
    const colour = outcome === "denied" ? "red" : outcome === "failed" ? "yellow" : "green";
    const by = policy === undefined ? [] : [`${policy}/${rule}`];
    const would = (record.audit ?? []).map((audit) =>
      paint("yellow", `would ${audit.would}: ${audit.policy}/${audit.rule}`),
    );
    const parts = [
      paint("dim", time.slice(0, 23)),
      (tenant === "" ? "-" : tenant).padEnd(12),
      client.padEnd(15),
      `${qname} ${qtype}`,
      paint(colour, outcome),
      rcode,
      ...by,
      ...would,
      ...(answers ?? []),
      paint("dim", `${cache ?? ""} ${(latency_us / 1000).toFixed(1)} ms`.trim()),
    ];
    context.stdout.write(`${parts.join("  ")}\n`);
  };
}
