/**
 * Where something listens or is reached: `unix:/path`, or `host:port`.
 */
import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, isIP } from "node:net";

export type Endpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** sockaddr_un of Linux, less its final zero. */
const MAX_SOCKET_PATH = 107;

export class EndpointError extends Error {
  override readonly name = "EndpointError";
}

export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith("unix:")) {
    const path = text.slice(5).replace(/^\/\/(?=\/)/, "");
    const length = Buffer.byteLength(path);
    if (length === 0 || length > MAX_SOCKET_PATH) {
      throw new EndpointError(`expected a socket path of 1 to ${MAX_SOCKET_PATH} octets, got ${length} in ${text}`);
    }
    return { kind: "unix", path };
  }
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? -1);
  if (match === null || port > 65_535 || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw new EndpointError(`expected unix:/path or host:port, got ${text}`);
  }
  return { kind: "tcp", host, port };
}

export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix:${endpoint.path}`;
  return `${formatHost(endpoint.host)}:${endpoint.port}`;
}

/** As in a URL. */
export function formatHost(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}

/** An address that only this machine reaches; names but localhost are not trusted to be one. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/** A socket that a killed process left is removed; one that somebody listens on is an error. */
export async function claimSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw new EndpointError(`expected a socket or nothing at ${path}, got another file`);
  if (await isServed(path)) throw new EndpointError(`expected ${path} to be free, got a process that listens on it`);
  await unlink(path);
}

/** Read and written by its owner only. */
export async function protectSocket(path: string): Promise<void> {
  await chmod(path, 0o600);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}
