/**
 * A network namespace, as root, in which programs are captured: their questions go to Envoy, and their connections to virtual
 * addresses. Servers that say who they are stand at addresses outside, all at one port.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { runCommand } from "../extproc/cli/run-command.ts";
import { Dialler } from "./dialler.ts";
import { freePort } from "./ports.ts";
import { Stack, type StackOptions } from "./stack.ts";

const run = promisify(execFile);
/** Where there is no name server. */
const TOLD = "10.0.0.53";
/** Envoy's user; the programs that are captured are nobody's. */
const ENVOY_USER = 0;
export const SERVER_PORT = 5432;
/** Known by no address: Envoy's own listener for itself says who asks there. */
const RESOLVER = "envoy-resolver";

const TENANTS = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: pod}
spec:
  match: [{cidrs: ["10.0.0.0/24", "fd00::/64", "127.0.0.1/32", "::1/128"]}]
  upstream: public
  namespaces: [default]
  isolation: {}
---
apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${RESOLVER}}
spec: {upstream: public}
`;

/** `more`: fields of the Settings' spec. */
const settings = (more = "") => `---
apiVersion: dns.mesh/v1alpha1
kind: Settings
metadata: {name: default}
spec: {mesh: {virtualAddresses: {}}${more}}
`;

/** A ServiceEntry of one host without an address. */
export function serviceEntry(name: string, host: string, spec = "resolution: DNS"): string {
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}}
spec: {hosts: [${host}], ports: [{number: ${SERVER_PORT}, name: tcp-db, protocol: TCP}], ${spec}}
`;
}

/** Clients beside the usual one, each at an address of its own. */
export const OTHERS = { stranger: "10.0.7.2", denied: "10.0.8.2" };

export interface VirtualWorldOptions extends Pick<StackOptions, "serve" | "concurrency" | "token"> {
  readonly entries: string;
  /** Whether the policy service is asked of each connection. */
  readonly check?: boolean;
  /** Addresses by host name, in 10.1.0.0/16. */
  readonly hosts: Readonly<Record<string, string>>;
}

export class VirtualWorld {
  readonly stack: Stack;
  /** A captured program. */
  readonly dialler: Dialler;
  readonly #servers: readonly Server[];
  readonly #options: StackOptions;
  readonly virtualPort: number;
  readonly resolverPort: number;

  /** `directory`: that everybody may read. */
  static async start(
    directory: string,
    { entries, hosts, check = false, ...more }: VirtualWorldOptions,
  ): Promise<VirtualWorld> {
    await prepareNetwork(directory);
    const servers = await Promise.all([...new Set(Object.values(hosts))].map(startServer));
    const [virtualPort, resolverPort] = [await freePort(), await freePort()];
    const zone = Object.entries(hosts).map(([host, address]) => `${host} 5 A ${address}`);
    const options: StackOptions = {
      policy: "",
      // Port 53: what Envoy sends there is not sent back to it.
      upstreams: {
        public: {
          protocol: "TCP",
          ports: { tcp: 53, dot: await freePort(), doh: await freePort() },
          zone: ["ready.test 300 A 192.0.2.9", ...zone].join("\n"),
        },
      },
      bootstrap: {
        addresses: ["127.0.0.1", "::1"],
        virtual: { port: virtualPort, resolver: { port: resolverPort, tenant: RESOLVER }, check },
      },
      ...more,
    };
    const stack = await Stack.start({ ...options, policy: TENANTS + settings() + entries });
    const world = new VirtualWorld(stack, await Dialler.start(), servers, options, virtualPort, resolverPort);
    assert.equal(await world.capture("install"), 0);
    return world;
  }

  private constructor(
    stack: Stack,
    dialler: Dialler,
    servers: readonly Server[],
    options: StackOptions,
    virtualPort: number,
    resolverPort: number,
  ) {
    this.stack = stack;
    this.dialler = dialler;
    this.#servers = servers;
    this.#options = options;
    this.virtualPort = virtualPort;
    this.resolverPort = resolverPort;
  }

  /** These ServiceEntries, and no others; `more`: fields of the Settings' spec. */
  async apply(entries: string, more?: string): Promise<void> {
    await this.stack.apply(this.stack.policy({ ...this.#options, policy: TENANTS + settings(more) + entries }));
  }

  /** These ServiceEntries beside the others. */
  async add(entries: string): Promise<void> {
    const headers = { "content-type": "application/yaml" };
    const { status, body } = await this.stack.service.request("PUT", "/v1/resources", entries, headers);
    assert.equal(status, 200, body);
  }

  async capture(task: string, way = "nftables"): Promise<number | null> {
    const ports = ["--port", this.stack.target.ports.udp, "--virtual-port", this.virtualPort];
    const own = ["--resolver-port", this.resolverPort, "--uid", ENVOY_USER];
    const { code, stderr } = await runCommand(["capture", task, "--with", way, ...[...ports, ...own].map(String)]);
    assert.equal(stderr, "");
    return code;
  }

  async stop(): Promise<void> {
    await this.dialler.stop();
    await this.stack.stop();
    for (const server of this.#servers) server.close();
  }
}

/** Addresses and routes as a pod has them, on the one interface that every kernel has. */
async function prepareNetwork(directory: string): Promise<void> {
  const ip = (words: string) => run("ip", words.split(" "));
  await ip("link set lo up");
  for (const address of ["10.0.0.2", ...Object.values(OTHERS)]) await ip(`addr add ${address}/32 dev lo`);
  await ip("-6 addr add fd00::2/128 dev lo nodad");
  await ip("route add local 10.1.0.0/16 dev lo");
  await ip("route add default dev lo src 10.0.0.2");
  await ip("-6 route add default dev lo src fd00::2");
  const file = join(directory, "resolv.conf");
  await writeFile(file, `nameserver ${TOLD}\noptions timeout:2 attempts:2\n`, { mode: 0o644 });
  await run("mount", ["--bind", file, "/etc/resolv.conf"]);
}

/** Speaks first, and then says again what it is told. */
async function startServer(address: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`${address}\n`);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(SERVER_PORT, address, resolve);
  });
  return server;
}
