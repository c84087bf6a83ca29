/**
 * The admin API as its callers see it: over a Unix socket, HTTP or HTTPS.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { parseEndpoint } from "../endpoint.ts";
import { responseText } from "../response-text.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export interface AdminClientOptions {
  /** `unix:/path`, `http://host:port` or `https://host:port`. */
  readonly server: string;
  readonly tls?: ClientTls;
  readonly token?: string | undefined;
  readonly timeoutMs?: number;
}

/** PEM; by default the public authorities, and no certificate. */
export interface ClientTls {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

export interface AdminCall {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface AdminReply {
  readonly status: number;
  readonly text: string;
}

/** A large set compiles for seconds, and workers have five more. */
const TIMEOUT_MS = 60_000;
const MAX_REPLY = 64 * 2 ** 20;

export class AdminClient {
  readonly #options: AdminClientOptions;
  readonly #target: Target;

  constructor(options: AdminClientOptions) {
    this.#options = options;
    this.#target = parseServer(options.server);
  }

  /** Resolves with the reply where it is no stream, and undefined where it was one. */
  stream({ path, onText, signal }: StreamCall): Promise<AdminReply | undefined> {
    const { server, token, tls } = this.#options;
    const { secure, ...target } = this.#target;
    const headers = {
      accept: "text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    const options = { ...target, method: "GET", path, agent: false, headers };
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        if (signal.aborted) resolve(undefined);
        else reject(new CommandError(ExitCode.UNREACHABLE, `the policy service at ${server}: ${explain(error)}`));
      };
      const request = secure ? httpsRequest({ ...options, ...tls }) : httpRequest(options);
      signal.addEventListener("abort", () => request.destroy());
      request.on("error", fail);
      request.on("response", (response) => {
        response.on("error", fail);
        if (response.statusCode !== 200) {
          readReply(response).then(resolve, fail);
          return;
        }
        response.setEncoding("utf8");
        response.on("data", onText);
        response.on("close", () => (signal.aborted ? resolve(undefined) : fail(new Error("it has ended the stream"))));
      });
      request.end();
    });
  }

  async call({ method, path, headers, body }: AdminCall): Promise<AdminReply> {
    const { server, token, tls, timeoutMs = TIMEOUT_MS } = this.#options;
    const { secure, ...target } = this.#target;
    // Node takes an undefined `ca` for the public authorities.
    const ask = (options: RequestOptions) => (secure ? httpsRequest({ ...options, ...tls }) : httpRequest(options));
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        reject(new CommandError(ExitCode.UNREACHABLE, `cannot reach the policy service at ${server}: ${reason}`));
      };
      const request = ask({
        ...target,
        method,
        path,
        agent: false,
        headers: { ...headers, ...authorization, ...(body === undefined ? {} : { "content-length": body.length }) },
        signal: AbortSignal.timeout(timeoutMs),
      });
      let answered = false;
      request.on("response", (response) => {
        answered = true;
        readReply(response).then(resolve, (error: Error) => fail(error.message));
      });
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (answered) return;
        if (error.name === "AbortError" || error.name === "TimeoutError")
          fail(`no answer within ${timeoutMs / 1000} s`);
        else fail(explain(error));
      });
      request.end(body);
    });
  }
}

/** Without an end of its own: until the service, or the signal, ends it. */
export interface StreamCall {
  readonly path: string;
  readonly onText: (text: string) => void;
  readonly signal: AbortSignal;
}

interface Target {
  readonly secure: boolean;
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

function parseServer(server: string): Target {
  if (server.startsWith("unix:")) {
    const endpoint = parseEndpoint(server);
    if (endpoint.kind === "unix") return { secure: false, socketPath: endpoint.path };
  }
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const secure = url?.protocol === "https:";
  if ((url?.protocol !== "http:" && !secure) || url?.pathname !== "/" || url.search !== "") {
    const expected = "unix:/path, http://host:port or https://host:port";
    throw new CommandError(ExitCode.USAGE, `expected --server ${expected}, got ${server}`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { secure, host, port: Number(url.port || (secure ? 443 : 80)) };
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "there is no such socket";
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code === "EACCES") return "permission denied";
  return message;
}

async function readReply(response: IncomingMessage): Promise<AdminReply> {
  const text = await responseText(response, MAX_REPLY);
  return { status: response.statusCode ?? 0, text };
}
