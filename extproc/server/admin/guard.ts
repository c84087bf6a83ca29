/**
 * Who may talk to an admin listener.
 *
 * On a Unix socket the file's mode has said so already: who comes by it is its owner, and may show a token to be less.
 * On a TCP port a web page in somebody's browser is a caller, too: it gives itself away by its Host (DNS rebinding)
 * or its Origin.
 */
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { type Endpoint, formatHost, isLoopback } from "../../endpoint.ts";
import { type Caller, mayActAs, type Role } from "./caller.ts";
import type { Credentials } from "./credentials.ts";
import { HttpError } from "./http-error.ts";

export interface GuardOptions {
  readonly endpoint: Endpoint;
  /** Undefined where whoever reaches the listener may do everything. */
  readonly credentials?: Credentials | undefined;
  readonly tls?: boolean;
  /** More names by which callers know this listener, without a port. */
  readonly names?: readonly string[];
}

export interface Guard {
  /** Throws HttpError for a page that is not this server's own: what everybody is asked, whoever calls. */
  checkHost(message: IncomingMessage): void;
  /** Who calls; throws HttpError for callers that may not. */
  identify(message: IncomingMessage): Caller;
}

const BEARER = /^Bearer +(.+)$/i;
const CHALLENGE = { "www-authenticate": 'Bearer realm="dnspolicy"' };
const OWNER: Caller = { name: "", by: "claim", role: "admin" };

export function createGuard({ endpoint, credentials, tls = false, names = [] }: GuardOptions): Guard {
  const hosts = endpoint.kind === "tcp" ? allowedHosts(endpoint.host, endpoint.port, names, tls) : undefined;
  const checkOrigin = (message: IncomingMessage): void => {
    if (hosts !== undefined) checkHost(message, hosts, tls);
  };
  const identify = (message: IncomingMessage): Caller => {
    checkOrigin(message);
    if (credentials === undefined) return OWNER;
    const { authorization } = message.headers;
    if (authorization !== undefined) return byToken(authorization, credentials);
    if (endpoint.kind === "unix") return OWNER;
    const principal = principalOf(message);
    if (principal !== undefined) return byPrincipal(principal, credentials);
    const expected = `\`Authorization: Bearer TOKEN\`${tls ? " or a client certificate with one URI" : ""}`;
    throw new HttpError(401, `expected ${expected}, got nothing of the kind`, { headers: CHALLENGE });
  };
  return { checkHost: checkOrigin, identify };
}

/** Throws HttpError unless the caller has this role, or one that may do more. */
export function requireRole(caller: Caller, needed: Role): void {
  if (mayActAs(caller, needed)) return;
  throw new HttpError(403, `expected the role ${needed}, got ${caller.role} (${caller.name})`);
}

function checkHost({ headers }: IncomingMessage, hosts: ReadonlySet<string>, tls: boolean): void {
  const host = headers.host?.toLowerCase() ?? "";
  if (!hosts.has(host)) throw new HttpError(421, `expected a Host that is served here, got "${host}"`);
  const { origin } = headers;
  if (origin !== undefined && origin.toLowerCase() !== `${tls ? "https" : "http"}://${host}`) {
    throw new HttpError(403, "expected no Origin but this server's, got another");
  }
}

function byToken(authorization: string, credentials: Credentials): Caller {
  const secret = BEARER.exec(authorization)?.[1];
  const caller = secret === undefined ? undefined : credentials.byToken(secret);
  if (caller !== undefined) return caller;
  const got = secret === undefined ? "another scheme" : "an unknown token";
  throw new HttpError(401, `expected \`Authorization: Bearer TOKEN\`, got ${got}`, { headers: CHALLENGE });
}

function byPrincipal(principal: string, credentials: Credentials): Caller {
  const caller = credentials.byPrincipal(principal);
  if (caller !== undefined) return caller;
  throw new HttpError(403, `expected a principal with a role, got ${principal}`);
}

/** The one URI SAN of a certificate that was validated; one with two is nobody's, as everywhere here. */
function principalOf({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const names = socket.getPeerX509Certificate()?.subjectAltName ?? "";
  const uris = [...names.matchAll(/(?:^|, )URI:([^,"]+)(?=$|, )/g)].map(([, uri]) => uri);
  return uris.length === 1 ? uris[0] : undefined;
}

function allowedHosts(host: string, port: number, names: readonly string[], tls: boolean): ReadonlySet<string> {
  const all = [host, ...names, ...(isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]"] : [])];
  const known = all.map((name) => formatHost(name.toLowerCase()));
  const implied = tls ? 443 : 80;
  return new Set(known.flatMap((name) => (port === implied ? [name, `${name}:${port}`] : [`${name}:${port}`])));
}
