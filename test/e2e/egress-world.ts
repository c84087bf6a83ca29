/**
 * A network of its own, in which the kernel brings what clients connect to outside to Envoy's egress listener. This is the
 * program in it, started by `unshare --net`; egress.ts speaks to it.
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { connect, createServer, isIP } from "node:net";
import { join } from "node:path";
import { askUdp } from "./clients/udp.ts";
import { encodeQuestion } from "./dns.ts";
import type { EgressCall, EgressCalls, EgressOptions } from "./egress.ts";
import { freePort } from "./ports.ts";
import { Stack } from "./stack.ts";

/** Addresses of servers outside: this machine has them all. */
const OUTSIDE = ["192.0.2.0/24", "240.240.0.0/16"];
const ECHO_PORT = 8080;
const GREETER_PORT = 8025;
const CONNECT_MS = 5000;

type Calls = { readonly [K in keyof EgressCalls]: (asks: EgressCalls[K]["asks"]) => Promise<EgressCalls[K]["answer"]> };

async function open({ serverFirst = false, ...options }: EgressOptions): Promise<Calls> {
  const port = await freePort();
  const ip = (...words: string[]) => execFileSync("ip", words);
  const redirect = ["-p", "tcp", "-j", "REDIRECT", "--to-ports", String(port)];
  for (const network of OUTSIDE) {
    ip("route", "add", "local", network, "dev", "lo");
    // Clients are told by their addresses; what Envoy opens comes from others, and is not brought back.
    execFileSync("iptables", ["-t", "nat", "-A", "OUTPUT", "-s", "127.0.0.0/8", "-d", network, ...redirect]);
  }
  const log = (directory: string) => join(directory, "connections.jsonl");
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  await new Promise<void>((resolve) => server.listen(ECHO_PORT, "0.0.0.0", resolve));
  const greeter = createServer((socket) => socket.on("error", () => {}).write("220 ready\r\n"));
  await new Promise<void>((resolve) => greeter.listen(GREETER_PORT, "0.0.0.0", resolve));
  const stack = await Stack.start({
    ...options,
    bootstrap: { egress: { port, serverFirst } },
    serve: (directory) => [
      ...["--connection-log", log(directory)],
      ...["--connection-memory", join(directory, "grants.jsonl")],
    ],
  });
  const dns = { host: stack.target.host, port: stack.target.ports.udp };
  const ask = async (client: string, name: string): Promise<string[]> => {
    const { answers } = await askUdp(dns, encodeQuestion(name), { from: client });
    return answers.flatMap((answer) => ("data" in answer ? [String(answer.data)] : []));
  };
  return {
    apply: async ({ policy }) => {
      await stack.apply(stack.policy({ ...options, policy }));
      return undefined;
    },
    ask: ({ client, name }) => ask(client, name),
    connect: async ({ client, to, port: server = ECHO_PORT, says = "hello" }) => {
      const address = isIP(to) === 0 ? ((await ask(client, to))[0] ?? "") : to;
      return say(client, { address, port: server, text: says });
    },
    log: () => readFile(log(stack.directory), "utf8"),
    killService: async () => {
      await stack.service.kill();
      await stack.service.restart();
      return undefined;
    },
    get: async ({ path }) => (await stack.service.request("GET", path)).body,
    stop: async () => {
      await stack.stop();
      server.close();
      greeter.close();
      return undefined;
    },
  };
}

interface Saying {
  readonly address: string;
  readonly port: number;
  /** Empty where the server is to speak first. */
  readonly text: string;
}

/** Says something, and hears something or sees the end of the connection. */
function say(client: string, { address, port, text }: Saying): Promise<EgressCalls["connect"]["answer"]> {
  return new Promise((resolve) => {
    const start = performance.now();
    const end = (heard: boolean) => {
      socket.destroy();
      resolve({ heard, milliseconds: performance.now() - start });
    };
    const socket = connect({ host: address, port, localAddress: client, timeout: CONNECT_MS });
    socket.once("connect", () => socket.write(text));
    socket.once("data", () => end(true));
    for (const event of ["end", "error", "timeout", "close"]) socket.once(event, () => end(false));
  });
}

execFileSync("ip", ["link", "set", "lo", "up"]);
let calls: Calls | undefined;
process.on("message", (message: EgressCall | { readonly open: EgressOptions }) => {
  const answer = async (): Promise<unknown> => {
    if ("open" in message) {
      calls = await open(message.open);
      return undefined;
    }
    return calls?.[message.call](message.asks as never);
  };
  answer().then(
    (value) => process.send?.({ value }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
