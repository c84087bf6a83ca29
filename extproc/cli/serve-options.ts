/**
 * The flags of `dnspolicy serve`: read, and refused where they would leave a door open.
 */
import { readFile } from "node:fs/promises";
import type { AdminListener } from "../server/admin/admin-server.ts";
import { type Endpoint, isLoopback, parseEndpoint } from "../server/endpoint.ts";
import type { ServerTls } from "../server/grpc-server.ts";
import { Token } from "../server/token.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export const DEFAULT_LISTEN = "unix:/run/dns-policy/service.sock";
export const DEFAULT_ADMIN = "unix:/run/dns-policy/admin.sock";

/** As commander gives them. */
export interface ServeFlags {
  readonly listen?: readonly string[];
  readonly store?: string;
  readonly watch?: string;
  readonly admin?: readonly string[];
  readonly adminDemo?: string;
  readonly adminTokenFile?: string;
  readonly adminName?: readonly string[];
  readonly token?: string;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly upstreamCa?: string;
  readonly queryLog?: string;
  readonly lastGood: string;
  readonly logLevel: string;
}

export interface ServeOptions {
  readonly listen: readonly Endpoint[];
  readonly admin: readonly AdminListener[];
  readonly source: { readonly mode: "store" | "watch"; readonly directory: string };
  readonly token: string | undefined;
  readonly tls: ServerTls | undefined;
  readonly upstreamCa: string | undefined;
  /** A file, or `-`. */
  readonly queryLog: string | undefined;
  readonly lastGoodMs: number;
  readonly logLevel: string;
}

export async function readServeOptions(flags: ServeFlags): Promise<ServeOptions> {
  const { store, watch } = flags;
  if ((store === undefined) === (watch === undefined)) {
    throw usage(`expected --store DIR or --watch DIR, got ${store === undefined ? "neither" : "both"}`);
  }
  const tls = await readTls(flags);
  const token = await readToken(flags);
  const listen = (flags.listen ?? [DEFAULT_LISTEN]).map(parseEndpoint);
  for (const endpoint of listen) {
    if (endpoint.kind === "tcp" && token === undefined && tls?.clientCa === undefined) {
      throw usage("expected --token, --token-file or --tls-client-ca with --listen on a TCP port, got none of them");
    }
  }
  return {
    listen,
    admin: await readAdmin(flags),
    source: store !== undefined ? { mode: "store", directory: store } : { mode: "watch", directory: watch ?? "" },
    token,
    tls,
    upstreamCa: await readUpstreamCa(flags.upstreamCa),
    queryLog: flags.queryLog,
    lastGoodMs: readSeconds(flags.lastGood) * 1000,
    logLevel: flags.logLevel,
  };
}

async function readAdmin(flags: ServeFlags): Promise<AdminListener[]> {
  const names = flags.adminName ?? [];
  const secret =
    flags.adminTokenFile === undefined ? undefined : await readSecret("--admin-token-file", flags.adminTokenFile);
  const listeners = (flags.admin ?? [DEFAULT_ADMIN]).map(parseEndpoint).map((endpoint): AdminListener => {
    if (endpoint.kind === "unix") return { endpoint };
    if (secret === undefined) throw usage("expected --admin-token-file with --admin on a TCP port, got none");
    return { endpoint, names, token: new Token(secret) };
  });
  if (flags.adminDemo === undefined) return listeners;
  const demo = parseEndpoint(flags.adminDemo);
  if (demo.kind !== "tcp" || !isLoopback(demo.host)) {
    throw usage(`expected --admin-demo on a loopback address, got ${flags.adminDemo}`);
  }
  return [...listeners, { endpoint: demo }];
}

async function readTls({ tlsCert, tlsKey, tlsClientCa }: ServeFlags): Promise<ServerTls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) throw usage("expected --tls-cert and --tls-key, got not both");
  return {
    certificate: await readFlagFile("--tls-cert", tlsCert),
    key: await readFlagFile("--tls-key", tlsKey),
    clientCa: tlsClientCa === undefined ? undefined : await readFlagFile("--tls-client-ca", tlsClientCa),
  };
}

/** With a line end, so that more can follow. */
async function readUpstreamCa(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const pem = (await readFlagFile("--upstream-ca", path)).toString();
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw usage(`expected PEM of certificates in ${path}, got none`);
  return `${pem.trimEnd()}\n`;
}

async function readToken({ token, tokenFile }: ServeFlags): Promise<string | undefined> {
  if (token !== undefined && tokenFile !== undefined) {
    throw usage("expected --token (or DNSPOLICY_SERVICE_TOKEN) or --token-file, got both");
  }
  if (token === "") throw usage("expected a token, got an empty one");
  return tokenFile === undefined ? token : readSecret("--token-file", tokenFile);
}

async function readSecret(flag: string, path: string): Promise<string> {
  const secret = (await readFlagFile(flag, path)).toString().trim();
  if (secret === "") throw usage(`expected a token in the file of ${flag}, got nothing`);
  return secret;
}

async function readFlagFile(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw usage(`cannot read the file of ${flag}: ${(error as Error).message}`);
  }
}

function readSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 86_400) {
    throw usage(`expected --last-good of 1 to 86400 seconds, got ${text}`);
  }
  return seconds;
}

function usage(message: string): CommandError {
  return new CommandError(ExitCode.USAGE, message);
}
