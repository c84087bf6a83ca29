/**
 * An Envoy that asks the policy service about connections. In place of a redirect by the kernel, which wants a network of its
 * own, the PROXY protocol says who connects to where.
 */
import { writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Config, extension, toYaml } from "../../envoy/config.ts";
import { egressCluster, egressListener } from "../../envoy/egress.ts";
import { envoyArguments } from "../../envoy/options.ts";
import { policyServiceCluster } from "../../envoy/policy-service.ts";
import { egress } from "../../envoy/profiles.ts";
import { eventually } from "../e2e/clients/deadline.ts";
import { freePort } from "../e2e/ports.ts";
import { Program } from "../e2e/process.ts";
import { envoyBinary } from "../e2e/stack.ts";

/** Where a server is, where none is, and where no name leads. */
export const SERVER = "127.8.0.10";
export const NOBODY = "127.8.0.11";
export const BY_HAND = "127.8.0.12";
const CONNECT_MS = 5000;

export class EgressEnvoy {
  readonly #envoy: Program;
  readonly #port: number;
  readonly #server: Server;
  readonly #serverPort: number;

  /** `folder` has the policy service's socket; a server listens at `serverPort` of SERVER. */
  static async start(folder: string, serverPort: number): Promise<EgressEnvoy> {
    const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
    await new Promise<void>((resolve) => server.listen(serverPort, SERVER, resolve));
    const port = await freePort();
    const file = join(folder, "egress.yaml");
    writeFileSync(file, toYaml(configure(folder, port), "Of a test."));
    const envoy = new Program("egress", await envoyBinary(), [
      ...envoyArguments(file, { concurrency: 1 }),
      ...["-l", "warning"],
    ]);
    const started = new EgressEnvoy(envoy, port, server, serverPort);
    try {
      await eventually(20_000, "an Envoy for connections", () => isOpen(port));
      return started;
    } catch (error) {
      await started.stop();
      throw new Error(envoy.output, { cause: error });
    }
  }

  private constructor(envoy: Program, port: number, server: Server, serverPort: number) {
    this.#envoy = envoy;
    this.#port = port;
    this.#server = server;
    this.#serverPort = serverPort;
  }

  /** Whether a client that says something hears it again. */
  connect(client: string, to: string): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host: "127.0.0.1", port: this.#port, timeout: CONNECT_MS });
      const end = (heard: boolean) => {
        socket.destroy();
        resolve(heard);
      };
      socket.once("connect", () =>
        socket.write(`PROXY TCP4 ${client} ${to} ${socket.localPort} ${this.#serverPort}\r\nhello`),
      );
      socket.once("data", () => end(true));
      for (const event of ["error", "end", "timeout", "close"]) socket.once(event, () => end(false));
    });
  }

  async stop(): Promise<void> {
    await this.#envoy.stop();
    this.#server.close();
  }
}

/** Nothing is said, and so nobody is asked about it. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

function configure(folder: string, port: number): Config {
  const { tenant: _, ...everybody } = egress;
  const options = { ...everybody, policyService: { path: join(folder, "policy.sock") } };
  const listener = egressListener(options, { port });
  const proxied = extension(
    "envoy.filters.listener.proxy_protocol",
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
  );
  return {
    node: { id: "egress", cluster: "page" },
    static_resources: {
      listeners: [{ ...listener, listener_filters: [proxied] }],
      clusters: [policyServiceCluster(options), egressCluster()],
    },
  };
}
