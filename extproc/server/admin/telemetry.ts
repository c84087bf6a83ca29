/**
 * /v1/telemetry: who asked what, and what came of it. An editor sees its own tenant's queries, and nobody else's.
 */
import { OUTCOMES } from "../../telemetry/labels.ts";
import { FilterError, parseClients } from "../../telemetry/query-filter.ts";
import {
  NoStoreError,
  type QueryFilter,
  type QuestionKind,
  type Questions,
  TOP_KINDS,
  WINDOWS,
  type Windowed,
} from "../../telemetry/questions.ts";
import type { Caller } from "./caller.ts";
import { type AdminRequest, type Reply, readText } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

const DEFAULT_WINDOW = "15m";
const MAX_ITEMS = 1000;
const MAX_PAGE = 1000;
/** Octets that a watcher may be behind; what comes then is left out, and counted. */
const MAX_BEHIND = 256 * 1024;
/** A comment, so that whoever stands between the two does not take the silence for the end. */
const KEEP_ALIVE_MS = 15_000;

export function overview(request: AdminRequest): Promise<Reply> {
  return answer(request, "overview", readWindow(request));
}

export function series(request: AdminRequest): Promise<Reply> {
  return answer(request, "series", { ...readWindow(request), limit: readLimit(request.query, 10, 100) });
}

export function top(request: AdminRequest): Promise<Reply> {
  const of = readChoice(request.query, "kind", TOP_KINDS, "names");
  return answer(request, "top", { ...readWindow(request), of, limit: readLimit(request.query, 20, MAX_ITEMS) });
}

export async function tenantMap(request: AdminRequest): Promise<Reply> {
  const { control, query } = request;
  const map = await control.telemetry.ask("map", { ...readWindow(request), limit: readLimit(query, 200, MAX_ITEMS) });
  const owners = await control.ownersOf([...new Set(map.edges.map(({ zone }) => zone))]);
  const edges = map.edges.map((edge) => {
    const owner = owners.get(edge.zone);
    return owner === undefined ? edge : { ...edge, owner };
  });
  return { status: 200, body: { ...map, edges } };
}

export function upstreams(request: AdminRequest): Promise<Reply> {
  return answer(request, "upstreams", readWindow(request));
}

export function connections(request: AdminRequest): Promise<Reply> {
  return answer(request, "connections", { ...readWindow(request), limit: readLimit(request.query, 20, MAX_ITEMS) });
}

export function mirrors(request: AdminRequest): Promise<Reply> {
  return answer(request, "mirrors", { ...readWindow(request), limit: readLimit(request.query, 20, MAX_ITEMS) });
}

export function rules(request: AdminRequest): Promise<Reply> {
  return answer(request, "rules", readTenant(request));
}

export function queries(request: AdminRequest): Promise<Reply> {
  const { query } = request;
  const since = readTime(query, "since", request.control.now);
  const until = readTime(query, "until", request.control.now);
  const cursor = readText(query, "cursor");
  return answer(request, "search", {
    ...readFilter(request),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(cursor === "" ? {} : { cursor }),
    limit: readLimit(query, 100, MAX_PAGE),
  });
}

/** Of past queries, those that fit are gone for good. */
export function eraseQueries(request: AdminRequest): Promise<Reply> {
  const filter = readFilter(request);
  if (Object.keys(filter).length === 0) {
    throw new HttpError(400, "expected tenant, client, name, verdict, type or rule of what is to be erased, got none");
  }
  return answer(request, "erase", filter);
}

/** Server-sent events: `query` with a QueryRecord, and `lost` with how many were left out. */
export function events(request: AdminRequest): Reply {
  const { control } = request;
  const filter = readFilter(request);
  return {
    status: 200,
    body: "",
    type: "text/event-stream; charset=utf-8",
    stream: (response) => {
      response.write(": queries from now on\n\n");
      let lost = 0;
      const stop = control.telemetry.watch(filter, (records, skipped) => {
        lost += skipped;
        if (response.writableLength > MAX_BEHIND) {
          lost += records.length;
          return;
        }
        let text = "";
        if (lost > 0) text = `event: lost\ndata: {"lost":${lost}}\n\n`;
        lost = 0;
        for (const record of records) text += `event: query\ndata: ${record}\n\n`;
        response.write(text);
      });
      const quiet = control.every(KEEP_ALIVE_MS, () => response.write(":\n\n"));
      response.once("close", () => {
        stop();
        quiet();
      });
    },
  };
}

async function answer<K extends QuestionKind>(
  { control }: AdminRequest,
  kind: K,
  asks: Questions[K]["asks"],
): Promise<Reply> {
  try {
    return { status: 200, body: await control.telemetry.ask(kind, asks) };
  } catch (error) {
    if (error instanceof NoStoreError) throw new HttpError(404, error.message);
    throw error;
  }
}

function readWindow(request: AdminRequest): Windowed {
  return { window: readChoice(request.query, "window", WINDOWS, DEFAULT_WINDOW), ...readTenant(request) };
}

/** `?tenant=`; an editor's is its own. `-` is for clients that are no tenant's, who have no name. */
function readTenant({ query, caller }: AdminRequest): { readonly tenant?: string } {
  const asked = query.get("tenant") ?? "";
  const own = ownTenant(caller);
  if (own !== undefined && asked !== "" && asked !== own) {
    throw new HttpError(403, `expected queries of tenant ${own}, which are yours to see, got others`);
  }
  const tenant = own ?? asked;
  if (tenant === "") return {};
  return { tenant: tenant === "-" ? "" : tenant };
}

function ownTenant({ role, tenant }: Caller): string | undefined {
  return role === "editor" ? tenant : undefined;
}

function readFilter(request: AdminRequest): QueryFilter {
  const { query } = request;
  const fields = ["name", "client", "type", "rule"] as const;
  const given = fields.map((field) => [field, readText(query, field)] as const).filter(([, value]) => value !== "");
  checkClient(readText(query, "client"));
  const verdict = query.has("verdict") ? { verdict: readChoice(query, "verdict", OUTCOMES, "") } : {};
  return { ...readTenant(request), ...verdict, ...Object.fromEntries(given) };
}

function checkClient(text: string): void {
  try {
    if (text !== "") parseClients(text);
  } catch (error) {
    if (error instanceof FilterError) throw new HttpError(400, error.message);
    throw error;
  }
}

function readChoice<T extends string>(query: URLSearchParams, name: string, choices: readonly T[], usual: T): T {
  const value = (query.get(name) ?? usual) as T;
  if (choices.includes(value)) return value;
  throw new HttpError(400, `expected ${name} to be one of ${choices.join(", ")}, got ${value.slice(0, 100)}`);
}

function readLimit(query: URLSearchParams, usual: number, max: number): number {
  const text = query.get("limit") ?? String(usual);
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= max) return limit;
  throw new HttpError(400, `expected a limit of 1 to ${max}, got ${text.slice(0, 100)}`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time, or how long ago, as `15m`. */
function readTime(query: URLSearchParams, name: string, now: number): number | undefined {
  const text = readText(query, name);
  if (text === "") return undefined;
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return now - Number(ago[1]) * (UNITS[ago[2] ?? ""] ?? 0);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new HttpError(400, `expected ${name} as 2026-11-24T18:00:00Z or 15m, got ${text.slice(0, 100)}`);
}
