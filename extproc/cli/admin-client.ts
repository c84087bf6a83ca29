/**
 * The admin API as its callers see it: over a Unix socket or HTTP.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { parseEndpoint } from "../server/endpoint.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export interface AdminClientOptions {
  /** `unix:/path` or `http://host:port`. */
  readonly server: string;
  readonly token?: string | undefined;
  readonly timeoutMs?: number;
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
  readonly #target: { readonly socketPath: string } | { readonly host: string; readonly port: number };

  constructor(options: AdminClientOptions) {
    this.#options = options;
    this.#target = parseServer(options.server);
  }

  async call({ method, path, headers, body }: AdminCall): Promise<AdminReply> {
    const { server, token, timeoutMs = TIMEOUT_MS } = this.#options;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        reject(new CommandError(ExitCode.UNREACHABLE, `cannot reach the policy service at ${server}: ${reason}`));
      };
      const request = httpRequest({
        ...this.#target,
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

function parseServer(server: string) {
  if (server.startsWith("unix:")) {
    const endpoint = parseEndpoint(server);
    if (endpoint.kind === "unix") return { socketPath: endpoint.path };
  }
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol !== "http:" || url.pathname !== "/" || url.search !== "") {
    throw new CommandError(ExitCode.USAGE, `expected --server unix:/path or http://host:port, got ${server}`);
  }
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port || 80) };
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT") return "there is no such socket";
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code === "EACCES") return "permission denied";
  return message;
}

async function readReply(response: IncomingMessage): Promise<AdminReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_REPLY) throw new Error(`expected an answer of at most ${MAX_REPLY} octets, got more`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks, length).toString("utf8") };
}
