/**
 * The admin API: which path does what, and who may ask for it.
 */

import { OPEN_METRICS } from "../../telemetry/open-metrics.ts";
import { type AdminRequest, acceptsType, entityTag, type Reply } from "./exchange.ts";
import { explain } from "./explain.ts";
import { getVersion, listVersions, rollBack } from "./history.ts";
import { HttpError } from "./http-error.ts";
import { describeApi } from "./openapi.ts";
import { applyResources, deleteResource, getResource, listResources } from "./resources.ts";
import type { Method, Operation, Route } from "./route.ts";
import { describeServer, describeStatus, describeWorker } from "./status.ts";
import {
  connections,
  eraseQueries,
  events,
  mirrors,
  overview,
  queries,
  rules,
  series,
  tenantMap,
  top,
  upstreams,
} from "./telemetry.ts";
import { registerWorkload, unregisterWorkload } from "./workloads.ts";

export const routes: readonly Route[] = [
  { path: "/healthz", methods: { GET: { role: undefined, handler: () => ({ status: 200, body: "ok\n" }) } } },
  { path: "/readyz", methods: { GET: { role: undefined, handler: readiness } } },
  { path: "/metrics", methods: { GET: { role: "viewer", handler: metrics } } },
  { path: "/v1/caller", methods: { GET: { role: "viewer", handler: caller } } },
  { path: "/v1/openapi.json", methods: { GET: { role: "viewer", handler: openApi } } },
  {
    path: "/v1/resources",
    methods: { GET: { role: "viewer", handler: listResources }, PUT: { role: "editor", handler: applyResources } },
  },
  {
    path: "/v1/resources/{kind}/{name}",
    methods: { GET: { role: "viewer", handler: getResource }, DELETE: { role: "editor", handler: deleteResource } },
  },
  {
    path: "/v1/workloads/{namespace}/{workload}",
    methods: {
      PUT: { role: "editor", handler: registerWorkload },
      DELETE: { role: "editor", handler: unregisterWorkload },
    },
  },
  { path: "/v1/history", methods: { GET: { role: "viewer", handler: listVersions } } },
  { path: "/v1/history/{version}", methods: { GET: { role: "viewer", handler: getVersion } } },
  { path: "/v1/rollback", methods: { POST: { role: "admin", handler: rollBack } } },
  { path: "/v1/upstreams", methods: { GET: { role: "viewer", handler: upstreamServers } } },
  { path: "/v1/lint", methods: { GET: { role: "viewer", handler: lint } } },
  { path: "/v1/explain", methods: { POST: { role: "viewer", handler: explain } } },
  { path: "/v1/workers", methods: { GET: { role: "viewer", handler: workers } } },
  { path: "/v1/status", methods: { GET: { role: "viewer", handler: status } } },
  { path: "/v1/telemetry/overview", methods: { GET: { role: "viewer", handler: overview } } },
  { path: "/v1/telemetry/series", methods: { GET: { role: "viewer", handler: series } } },
  { path: "/v1/telemetry/top", methods: { GET: { role: "viewer", handler: top } } },
  { path: "/v1/telemetry/tenants", methods: { GET: { role: "viewer", handler: tenantMap } } },
  { path: "/v1/telemetry/upstreams", methods: { GET: { role: "viewer", handler: upstreams } } },
  { path: "/v1/telemetry/connections", methods: { GET: { role: "viewer", handler: connections } } },
  { path: "/v1/telemetry/mirrors", methods: { GET: { role: "viewer", handler: mirrors } } },
  { path: "/v1/telemetry/rules", methods: { GET: { role: "viewer", handler: rules } } },
  { path: "/v1/telemetry/events", methods: { GET: { role: "viewer", handler: events } } },
  {
    path: "/v1/telemetry/queries",
    methods: { GET: { role: "viewer", handler: queries }, DELETE: { role: "admin", handler: eraseQueries } },
  },
  { path: "/v1/drain", methods: { POST: { role: "admin", handler: drain } } },
];

const patterns = routes.map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "([^/]+)")}$`),
}));

export interface FoundRoute {
  readonly route: Route;
  /** What the path's variables stand for, in order. */
  readonly variables: readonly string[];
}

export function findRoute(path: string): FoundRoute {
  for (const { route, pattern } of patterns) {
    const match = pattern.exec(path);
    if (match !== null) return { route, variables: match.slice(1).map(decodeVariable) };
  }
  throw new HttpError(404, `expected a path of the admin API, got ${path.slice(0, 200)}`);
}

export function findOperation({ methods }: Route, method: string): Operation {
  const operation = Object.hasOwn(methods, method) ? methods[method as Method] : undefined;
  if (operation !== undefined) return operation;
  const allow = Object.keys(methods).join(", ");
  throw new HttpError(405, `expected ${allow}, got ${method}`, { headers: { allow } });
}

function decodeVariable(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, "expected percent-encoded UTF-8 in the path, got other octets");
  }
}

function caller({ caller }: AdminRequest): Reply {
  return { status: 200, body: caller };
}

function openApi(): Reply {
  return { status: 200, body: describeApi(routes) };
}

function readiness({ control }: AdminRequest): Reply {
  return control.ready
    ? { status: 200, body: "ready\n" }
    : { status: 503, body: "not ready: no policy, or stopping\n" };
}

async function metrics({ control, message }: AdminRequest): Promise<Reply> {
  const { text, type } = await control.metrics(acceptsType(message, OPEN_METRICS));
  return { status: 200, body: text, type };
}

function workers({ control }: AdminRequest): Reply {
  const { sequence } = control;
  return {
    status: 200,
    body: { sequence, workers: control.workers().map((worker) => describeWorker(worker, sequence)) },
  };
}

function status({ control }: AdminRequest): Reply {
  return { status: 200, body: describeStatus(control.status()), headers: entityTag(control.stored) };
}

function upstreamServers({ control }: AdminRequest): Reply {
  return { status: 200, body: { servers: control.upstreamServers().map(describeServer) } };
}

async function lint({ control }: AdminRequest): Promise<Reply> {
  return { status: 200, body: { sequence: control.stored, findings: await control.lint() } };
}

function drain({ control, query }: AdminRequest): Reply {
  return { status: 200, body: { told: control.drain(query.get("node") ?? undefined) } };
}
