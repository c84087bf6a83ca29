/**
 * The gRPC server: listeners, credentials and limits. What it serves is put in.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { claimSocket, type Endpoint, EndpointError, formatEndpoint, protectSocket } from "../endpoint.ts";
import { type Clock, within } from "./clock.ts";
import type { GrpcService } from "./grpc-service.ts";

export interface ServerTls {
  /** PEM. */
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** PEM of the authorities of client certificates: with it every client needs one. */
  readonly clientCa?: Buffer | undefined;
}

/** Envoy has a stream for each decision in flight; more connections come only with more workers. */
const OPTIONS = {
  "grpc.max_concurrent_streams": 100_000,
  "grpc.max_receive_message_length": 4 * 2 ** 20,
  // An Envoy that is stopped, or cut off, closes nothing.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.keepalive_permit_without_calls": 1,
};

const GRACE_MS = 2000;

export interface GrpcServer {
  /** With the ports that port 0 has become. */
  readonly endpoints: readonly Endpoint[];
  /** Takes no new calls, lets those under way end for a moment, then ends them. */
  close(): Promise<void>;
}

export async function startGrpcServer(
  endpoints: readonly Endpoint[],
  services: readonly GrpcService[],
  clock: Clock,
  tls?: ServerTls,
): Promise<GrpcServer> {
  const server = new Server(OPTIONS);
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  try {
    const bound: Endpoint[] = [];
    for (const endpoint of endpoints) bound.push(await bind(server, endpoint, tls));
    return { endpoints: bound, close: () => close(server, clock) };
  } catch (error) {
    server.forceShutdown();
    throw error;
  }
}

async function bind(server: Server, endpoint: Endpoint, tls?: ServerTls): Promise<Endpoint> {
  if (endpoint.kind === "unix") await claimSocket(endpoint.path);
  const credentials = endpoint.kind === "unix" || tls === undefined ? ServerCredentials.createInsecure() : secure(tls);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(formatEndpoint(endpoint), credentials, (error, boundPort) => {
      if (error === null) resolve(boundPort);
      else reject(new EndpointError(`cannot listen on ${formatEndpoint(endpoint)}: ${error.message}`));
    });
  });
  if (endpoint.kind === "tcp") return { ...endpoint, port };
  await protectSocket(endpoint.path);
  return endpoint;
}

function secure({ certificate, key, clientCa }: ServerTls): ServerCredentials {
  const pair = { cert_chain: certificate, private_key: key };
  return ServerCredentials.createSsl(clientCa ?? null, [pair], clientCa !== undefined);
}

async function close(server: Server, clock: Clock): Promise<void> {
  const ended = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  if (!(await within(clock, GRACE_MS, ended))) server.forceShutdown();
}
