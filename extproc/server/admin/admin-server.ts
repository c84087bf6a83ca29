/**
 * The admin API over HTTP: listeners, limits, and errors as JSON.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { claimSocket, type Endpoint, EndpointError, formatEndpoint, protectSocket } from "../../endpoint.ts";
import { type Clock, within } from "../clock.ts";
import type { ApplyOutcome, Control } from "../control.ts";
import type { ServerTls } from "../grpc-server.ts";
import type { Logger } from "../logger.ts";
import { type AuditLog, formatAudit, isAudited } from "./audit.ts";
import type { Caller } from "./caller.ts";
import type { Credentials } from "./credentials.ts";
import type { Reply } from "./exchange.ts";
import { createGuard, type Guard, requireRole } from "./guard.ts";
import { HttpError } from "./http-error.ts";
import type { Page } from "./page.ts";
import type { Operation } from "./route.ts";
import { findOperation, findRoute } from "./routes.ts";

export interface AdminListener {
  readonly endpoint: Endpoint;
  /** Undefined where whoever reaches the listener may do everything. */
  readonly credentials?: Credentials | undefined;
  readonly tls?: ServerTls | undefined;
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

export interface AdminDependencies {
  readonly control: Control;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit?: AuditLog | undefined;
  /** Served on TCP ports: a browser does not come by a Unix socket. */
  readonly page?: Page | undefined;
}

export async function startAdminServer(
  listeners: readonly AdminListener[],
  dependencies: AdminDependencies,
): Promise<AdminServer> {
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => stop(server, dependencies.clock)));
  };
  const endpoints: Endpoint[] = [];
  try {
    for (const { endpoint, credentials, tls, names } of listeners) {
      // The guard needs the port, and the port is known when the server listens.
      const starting = () => {
        throw new HttpError(503, "the service is starting");
      };
      let guard: Guard = { checkHost: starting, identify: starting };
      const here = { ...dependencies, page: endpoint.kind === "tcp" ? dependencies.page : undefined };
      let listener = formatEndpoint(endpoint);
      const onRequest = (message: IncomingMessage, response: ServerResponse) => {
        void new Answer(message, response, listener, here).send(guard);
      };
      const server = tls === undefined ? createServer(LIMITS, onRequest) : createTlsServer(tlsOptions(tls), onRequest);
      server.maxConnections = MAX_CONNECTIONS;
      servers.push(server);
      const bound = await listen(server, endpoint);
      guard = createGuard({ endpoint: bound, credentials, tls: tls !== undefined, names: names ?? [] });
      listener = formatEndpoint(bound);
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

/** A certificate is asked for, and who has none may show a token. */
function tlsOptions({ certificate, key, clientCa }: ServerTls) {
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  return { ...LIMITS, cert: certificate, key, minVersion: "TLSv1.2" as const, ...clients };
}

/** One request, from who asks to what is said and written down of it. */
class Answer {
  readonly #message: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #listener: string;
  readonly #dependencies: AdminDependencies;
  #caller: Caller | undefined;
  #operation: Operation | undefined;
  #outcome: ApplyOutcome | undefined;

  constructor(message: IncomingMessage, response: ServerResponse, listener: string, dependencies: AdminDependencies) {
    this.#message = message;
    this.#response = response;
    this.#listener = listener;
    this.#dependencies = dependencies;
    // A caller who goes away is no failure of ours.
    response.on("error", () => {});
  }

  async send(guard: Guard): Promise<void> {
    const url = URL.canParse(this.#message.url ?? "", "http://admin")
      ? new URL(this.#message.url ?? "", "http://admin")
      : undefined;
    let reply: Reply;
    let error: string | undefined;
    try {
      if (url === undefined) throw new HttpError(400, "expected a path, got something else");
      const file = this.#dependencies.page?.find(url.pathname);
      if (file !== undefined) {
        guard.checkHost(this.#message);
        file.send(this.#message, this.#response);
        return;
      }
      reply = await this.#handle(url, guard);
    } catch (thrown) {
      const known = this.#explain(thrown);
      error = known.message;
      reply = describeError(known);
    }
    if (!reply.unchanged) await this.#audit(url?.searchParams ?? new URLSearchParams(), reply.status, error);
    if (!this.#response.destroyed) send(this.#response, reply);
  }

  async #handle(url: URL, guard: Guard): Promise<Reply> {
    const message = this.#message;
    // Guards come before everything else: who may not ask learns nothing, not even which paths there are.
    this.#caller = isOpen(url.pathname) ? NOBODY : guard.identify(message);
    const { route, variables } = findRoute(url.pathname);
    this.#operation = findOperation(route, message.method ?? "");
    const { handler, role } = this.#operation;
    if (role !== undefined) requireRole(this.#caller, role);
    const note = (outcome: ApplyOutcome): void => {
      this.#outcome = outcome;
    };
    const { control } = this.#dependencies;
    return handler({ message, control, caller: this.#caller, query: url.searchParams, variables, note });
  }

  #explain(thrown: unknown): HttpError {
    if (thrown instanceof HttpError) return thrown;
    const { method, url } = this.#message;
    this.#dependencies.logger.error({ err: thrown, method, url }, "a request failed");
    return new HttpError(500, "the request failed");
  }

  async #audit(query: URLSearchParams, status: number, error: string | undefined): Promise<void> {
    const { audit, clock } = this.#dependencies;
    if (audit === undefined || !isAudited(this.#message, this.#operation)) return;
    const [message, listener, caller, outcome] = [this.#message, this.#listener, this.#caller, this.#outcome];
    await audit.write(formatAudit(clock.now(), { message, listener, query, caller, outcome, status, error }));
  }
}

function describeError({ status, message, problems, warnings, details, headers }: HttpError): Reply {
  return { status, body: { error: message, problems, warnings, ...details }, headers };
}

/** Who asks what everybody may is not asked for. */
const NOBODY: Caller = { name: "", by: "claim", role: "viewer" };

function isOpen(path: string): boolean {
  try {
    return Object.values(findRoute(path).route.methods).every(({ role }) => role === undefined);
  } catch {
    return false;
  }
}

const ALWAYS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

function send(response: ServerResponse, { status, body, type, headers = {}, stream }: Reply): void {
  if (stream !== undefined) {
    response.writeHead(status, { ...headers, "content-type": type, ...ALWAYS });
    stream(response);
    return;
  }
  const text = typeof body === "string" ? body : `${JSON.stringify(body, null, 2)}\n`;
  const contentType = type ?? (typeof body === "string" ? "text/plain; charset=utf-8" : "application/json");
  // Node reads on and throws away what is left of a body: closing instead could cost the caller this reply.
  response.writeHead(status, {
    ...headers,
    "content-type": contentType,
    "content-length": Buffer.byteLength(text),
    ...ALWAYS,
  });
  response.end(text);
}
