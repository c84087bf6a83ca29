/**
 * The admin API: which path does what.
 */
import { type AdminRequest, entityTag, type Reply } from "./exchange.ts";
import { getVersion, listVersions, rollBack } from "./history.ts";
import { HttpError } from "./http-error.ts";
import { applyResources, deleteResource, getResource, listResources } from "./resources.ts";
import { describeStatus, describeWorker } from "./status.ts";

type Handler = (request: AdminRequest) => Reply | Promise<Reply>;

export interface Route {
  readonly path: RegExp;
  /** Open to everybody, by any name: what a kubelet or a balancer asks. */
  readonly open?: boolean;
  readonly methods: Readonly<Record<string, Handler>>;
}

export const routes: readonly Route[] = [
  { path: /^\/healthz$/, open: true, methods: { GET: () => ({ status: 200, body: "ok\n" }) } },
  { path: /^\/readyz$/, open: true, methods: { GET: readiness } },
  { path: /^\/metrics$/, methods: { GET: metrics } },
  { path: /^\/v1\/resources$/, methods: { GET: listResources, PUT: applyResources } },
  { path: /^\/v1\/resources\/([^/]+)\/([^/]+)$/, methods: { GET: getResource, DELETE: deleteResource } },
  { path: /^\/v1\/history$/, methods: { GET: listVersions } },
  { path: /^\/v1\/history\/([^/]+)$/, methods: { GET: getVersion } },
  { path: /^\/v1\/rollback$/, methods: { POST: rollBack } },
  { path: /^\/v1\/workers$/, methods: { GET: workers } },
  { path: /^\/v1\/status$/, methods: { GET: status } },
  { path: /^\/v1\/drain$/, methods: { POST: drain } },
];

export function findRoute(path: string): { readonly route: Route; readonly variables: readonly string[] } {
  for (const route of routes) {
    const match = route.path.exec(path);
    if (match !== null) return { route, variables: match.slice(1).map(decodeVariable) };
  }
  throw new HttpError(404, `expected a path of the admin API, got ${path.slice(0, 200)}`);
}

export function findHandler({ methods }: Route, method: string): Handler {
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (handler !== undefined) return handler;
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

function readiness({ control }: AdminRequest): Reply {
  return control.ready
    ? { status: 200, body: "ready\n" }
    : { status: 503, body: "not ready: no policy, or stopping\n" };
}

async function metrics({ control }: AdminRequest): Promise<Reply> {
  const { text, type } = await control.metrics();
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

function drain({ control, query }: AdminRequest): Reply {
  return { status: 200, body: { told: control.drain(query.get("node") ?? undefined) } };
}
