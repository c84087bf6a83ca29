/**
 * One question over UDP: how the demo knows that it is up.
 */
import { createSocket } from "node:dgram";
import { setTimeout as pause } from "node:timers/promises";
import { type Answer, decode, encode, type Packet, RECURSION_DESIRED } from "dns-packet";

export interface Asking {
  name: string;
  /** The client's own address. */
  from: string;
  server: string;
  port: number;
  timeoutMs: number;
}

/** RFC 6891: without it in a query no Extended DNS Error comes back. */
export const EDNS: Answer = {
  type: "OPT",
  name: ".",
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

/** The answer; undefined when none came in time. */
export function ask({ name, from, server, port, timeoutMs }: Asking): Promise<Packet | undefined> {
  const id = Math.floor(Math.random() * 65_536);
  const query = encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ type: "A", name }],
    additionals: [EDNS],
  });
  return new Promise((resolve) => {
    const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
    const finish = (answer: Packet | undefined): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    socket.once("error", () => finish(undefined));
    socket.on("message", (message) => {
      const answer = decode(message);
      if (answer.id === id) finish(answer);
    });
    socket.bind(0, from, () => socket.send(query, port, server));
  });
}

/** Asks until the answer has records. */
export async function waitForAnswer(asking: Asking, patienceMs: number): Promise<boolean> {
  const until = Date.now() + patienceMs;
  while (Date.now() < until) {
    const answer = await ask(asking);
    if ((answer?.answers?.length ?? 0) > 0) return true;
    await pause(50);
  }
  return false;
}
