/**
 * Who may talk to an admin listener.
 *
 * On a Unix socket the file's mode has said so already. On a TCP port a web page in somebody's browser is a caller,
 * too: it gives itself away by its Host (DNS rebinding) or its Origin.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type Endpoint, formatHost, isLoopback } from "../endpoint.ts";
import type { Token } from "../token.ts";
import type { Caller } from "./caller.ts";
import { HttpError } from "./http-error.ts";

export interface GuardOptions {
  readonly endpoint: Endpoint;
  readonly token?: Token | undefined;
  /** More names by which callers know this listener, without a port. */
  readonly names?: readonly string[];
}

export type Guard = (headers: IncomingHttpHeaders) => Caller;

/** Gives a function that says who calls, and throws HttpError for callers that may not. */
export function createGuard({ endpoint, token, names = [] }: GuardOptions): Guard {
  const hosts = endpoint.kind === "tcp" ? allowedHosts(endpoint.host, endpoint.port, names) : undefined;
  return (headers) => {
    if (hosts !== undefined) {
      const host = headers.host?.toLowerCase() ?? "";
      if (!hosts.has(host)) throw new HttpError(421, `expected a Host that is served here, got "${host}"`);
      const { origin } = headers;
      if (origin !== undefined && origin.toLowerCase() !== `http://${host}`) {
        throw new HttpError(403, "expected no Origin but this server's, got another");
      }
    }
    if (token === undefined) return { name: "", by: "claim", role: "admin" };
    if (token.admits(headers.authorization)) return { name: "admin", by: "token", role: "admin" };
    const challenge = { "www-authenticate": 'Bearer realm="dnspolicy"' };
    throw new HttpError(401, "expected `Authorization: Bearer TOKEN` with the admin token", { headers: challenge });
  };
}

function allowedHosts(host: string, port: number, names: readonly string[]): ReadonlySet<string> {
  const all = [host, ...names, ...(isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]"] : [])];
  const known = all.map((name) => formatHost(name.toLowerCase()));
  return new Set(known.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])));
}
