/**
 * Ports of the demo: their defaults, flags, and whether they are free.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

export const defaultPorts = {
  udp: 1053,
  tcp: 1053,
  dot: 1853,
  doh: 1443,
  /** Envoy's admin interface. */
  admin: 9901,
  /** The policy service's admin API. */
  api: 9053,
  "upstream-dot": 8853,
  "upstream-doh": 8443,
  "upstream-tcp": 8053,
};
export type Ports = typeof defaultPorts;

/** Loopback addresses of this machine. */
export function loopback(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return addresses.some(({ address }) => address === "::1") ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
}

/** Throws one clear line about the first port that another program has. */
export async function expectFree(ports: Ports): Promise<void> {
  for (const [flag, number] of Object.entries(ports)) {
    const addresses = flag in { udp: 0, tcp: 0, dot: 0, doh: 0 } ? loopback() : ["127.0.0.1"];
    for (const address of addresses) {
      for (const protocol of protocolsOf(flag)) {
        const problem = protocol === "udp" ? await tryUdp(number, address) : await tryTcp(number, address);
        if (problem === undefined) continue;
        const why = problem === "EADDRINUSE" ? "is taken" : `cannot be opened (${problem})`;
        throw new Error(`port ${number}/${protocol} ${why}: choose another with --${flag}`);
      }
    }
  }
}

function protocolsOf(flag: string): ("tcp" | "udp")[] {
  if (flag === "udp") return ["udp"];
  return flag === "doh" ? ["tcp", "udp"] : ["tcp"];
}

function tryTcp(port: number, address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: address, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function tryUdp(port: number, address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}
