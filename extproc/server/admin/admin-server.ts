/**
 * The admin API over HTTP: listeners, limits, and errors as JSON.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, within } from "../clock.ts";
import type { Control } from "../control.ts";
import { claimSocket, type Endpoint, EndpointError, formatEndpoint, protectSocket } from "../endpoint.ts";
import type { Logger } from "../logger.ts";
import type { Token } from "../token.ts";
import type { Caller } from "./caller.ts";
import type { Reply } from "./exchange.ts";
import { createGuard, type Guard } from "./guard.ts";
import { HttpError } from "./http-error.ts";
import { findHandler, findRoute } from "./routes.ts";

export interface AdminListener {
  readonly endpoint: Endpoint;
  readonly token?: Token | undefined;
  /** More names by which callers know this listener. */
  readonly names?: readonly string[];
}

export interface AdminServer {
  /** With the ports that port 0 has become. */
  readonly endpoints: readonly Endpoint[];
  close(): Promise<void>;
}

const LIMITS = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 60_000, keepAliveTimeout: 5000 };
const MAX_CONNECTIONS = 256;
const GRACE_MS = 2000;

export async function startAdminServer(
  listeners: readonly AdminListener[],
  control: Control,
  clock: Clock,
  logger: Logger,
): Promise<AdminServer> {
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => stop(server, clock)));
  };
  const endpoints: Endpoint[] = [];
  try {
    for (const { endpoint, token, names } of listeners) {
      // The guard needs the port, and the port is known when the server listens.
      let guard: Guard = () => {
        throw new HttpError(503, "the service is starting");
      };
      const server = createServer(LIMITS, (message, response) => {
        void answer(message, response, control, (headers) => guard(headers), logger);
      });
      server.maxConnections = MAX_CONNECTIONS;
      servers.push(server);
      const bound = await listen(server, endpoint);
      guard = createGuard({ endpoint: bound, token, names: names ?? [] });
      endpoints.push(bound);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { endpoints, close };
}

async function listen(server: Server, endpoint: Endpoint): Promise<Endpoint> {
  if (endpoint.kind === "unix") await claimSocket(endpoint.path);
  const where = endpoint.kind === "unix" ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) => {
      reject(new EndpointError(`cannot listen on ${formatEndpoint(endpoint)}: ${error.message}`));
    };
    server.once("error", fail);
    server.listen(where, () => {
      server.off("error", fail);
      resolve();
    });
  });
  if (endpoint.kind === "tcp") return { ...endpoint, port: (server.address() as AddressInfo).port };
  await protectSocket(endpoint.path);
  return endpoint;
}

/** Requests under way have a moment to end. */
async function stop(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  if (!(await within(clock, GRACE_MS, closed))) server.closeAllConnections();
}

async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  control: Control,
  guard: Guard,
  logger: Logger,
): Promise<void> {
  // A caller who goes away is no failure of ours.
  response.on("error", () => {});
  try {
    send(response, await handle(message, control, guard));
  } catch (error) {
    if (response.destroyed) return;
    const known = error instanceof HttpError ? error : new HttpError(500, "the request failed");
    if (known !== error) logger.error({ err: error, method: message.method, url: message.url }, "a request failed");
    const { status, message: text, problems, warnings, details, headers } = known;
    send(response, { status, body: { error: text, problems, warnings, ...details }, headers });
  }
}

async function handle(message: IncomingMessage, control: Control, guard: Guard): Promise<Reply> {
  const url = URL.canParse(message.url ?? "", "http://admin") ? new URL(message.url ?? "", "http://admin") : undefined;
  if (url === undefined) throw new HttpError(400, "expected a path, got something else");
  const caller = isOpen(url.pathname) ? NOBODY : guard(message.headers);
  const { route, variables } = findRoute(url.pathname);
  const handler = findHandler(route, message.method ?? "");
  return handler({ message, control, caller, query: url.searchParams, variables });
}

/** Who asks what everybody may is not asked for. */
const NOBODY: Caller = { name: "", by: "claim", role: "viewer" };

/** Guards come before everything else: who may not ask learns nothing, not even which paths there are. */
function isOpen(path: string): boolean {
  try {
    return findRoute(path).route.open === true;
  } catch {
    return false;
  }
}

function send(response: ServerResponse, { status, body, type, headers = {} }: Reply): void {
  const text = typeof body === "string" ? body : `${JSON.stringify(body, null, 2)}\n`;
  const contentType = type ?? (typeof body === "string" ? "text/plain; charset=utf-8" : "application/json");
  // Node reads on and throws away what is left of a body: closing instead could cost the caller this reply.
  response.writeHead(status, {
    ...headers,
    "content-type": contentType,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
