/**
 * Ports for programs that must be told theirs. They come from below the range that the kernel gives to clients, so
 * that a load test's own sockets do not take them, and are tried first, so that two runs at once do not meet.
 */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const [LOWEST, HIGHEST] = [12_000, 32_000];
const given = new Set<number>();

/** A port that is free for TCP and UDP on the address. */
export async function freePort(address = "127.0.0.1"): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(LOWEST, HIGHEST);
    if (given.has(port) || !(await tcpIsFree(port, address)) || !(await udpIsFree(port, address))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`no port between ${LOWEST} and ${HIGHEST} is free`);
}

function tcpIsFree(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

function udpIsFree(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.once("error", () => resolve(false));
    socket.bind(port, address, () => socket.close(() => resolve(true)));
  });
}
