/**
 * Everything that a query passes, started on free ports in a directory of its own, so that many can run at once:
 * scripted upstreams, the policy service, and a real Envoy with the built filter.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bootstrapYaml } from "../../envoy/bootstrap.ts";
import { type BootstrapOptions, defaultLimits, envoyArguments, type Limits } from "../../envoy/options.ts";
import { filterWasm } from "../host/wasm.ts";
import { joinDocuments, upstreamResource } from "../stories/world.ts";
import { makeCertificates, SERVER_NAME, type TestCertificates } from "./certificates.ts";
import { eventually } from "./clients/deadline.ts";
import { askUdp } from "./clients/udp.ts";
import { encodeQuestion } from "./dns.ts";
import { freePort } from "./ports.ts";
import { Program } from "./process.ts";
import type { Zone } from "./records.ts";
import { PolicyService } from "./service.ts";
import { Asker, envoyStats, type Target } from "./target.ts";
import { ScriptedUpstream, type UpstreamPorts } from "./upstream.ts";

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const READY_MS = 40_000;

export interface StackOptions {
  /** Resources but for Upstreams, which are made of `upstreams`. */
  policy: string;
  upstreams: Record<string, { protocol?: "DoT" | "TCP" | "DoH"; zone?: Zone | string; ports?: UpstreamPorts }>;
  /** Envoy's port for UDP and TCP; a free one by default. */
  dnsPort?: number;
  concurrency?: number;
  /** Settings of the filter, by their names. */
  settings?: Record<string, string | number>;
  limits?: Partial<Limits>;
  /** What the policy service asks of every caller, and Envoy says. */
  token?: string;
  /** Puts something between Envoy and the policy service's socket: gives the socket that Envoy is told. */
  policySocket?: (socket: string) => Promise<string>;
  /** More flags of `dnspolicy serve`, by the directory of the stack. */
  serve?: (directory: string) => string[];
  /** More of the bootstrap. */
  bootstrap?: Partial<BootstrapOptions> | ((certificates: TestCertificates) => Promise<Partial<BootstrapOptions>>);
}

/** Addresses by which the tests' policies tell tenants apart. */
export const CLIENTS = { frontend: "127.0.1.1", backend: "127.0.2.1", platform: "127.0.3.1", nobody: "127.0.9.1" };

export class Stack {
  readonly directory: string;
  readonly certificates: TestCertificates;
  readonly service: PolicyService;
  readonly upstreams: Map<string, ScriptedUpstream>;
  readonly target: Target;
  readonly ask: Asker;
  #envoy: Program;
  readonly #start: () => Program;

  static async start(options: StackOptions): Promise<Stack> {
    const directory = await mkdtemp(join(tmpdir(), "dnspolicy-"));
    const certificates = await makeCertificates(directory);
    const upstreams = new Map<string, ScriptedUpstream>();
    for (const [name, { zone = "", ports }] of Object.entries(options.upstreams)) {
      const wanted = ports === undefined ? {} : { ports };
      upstreams.set(name, await ScriptedUpstream.start({ tls: certificates.upstream, zone, ...wanted }));
    }
    const service = await PolicyService.start(directory, options.token, options.serve?.(directory));
    const policySocket = (await options.policySocket?.(service.socket)) ?? service.socket;
    const more = typeof options.bootstrap === "function" ? await options.bootstrap(certificates) : options.bootstrap;
    const { target, start } = await prepareEnvoy(directory, certificates, {
      dnsPort: options.dnsPort,
      limits: options.limits,
      concurrency: options.concurrency ?? 1,
      policyService: { path: policySocket },
      settings: options.settings ?? {},
      ...(options.token === undefined ? {} : { token: options.token }),
      ...more,
    });
    const stack = new Stack(directory, certificates, service, upstreams, target, start);
    try {
      await stack.apply(stack.policy(options));
      await stack.ready();
      for (const upstream of upstreams.values()) upstream.reset();
    } catch (error) {
      const said = `envoy said:\n${stack.envoy.output}\nthe policy service said:\n${service.program.output}`;
      await stack.stop();
      throw new Error(`${error instanceof Error ? error.message : error}\n${said}`);
    }
    return stack;
  }

  private constructor(
    directory: string,
    certificates: TestCertificates,
    service: PolicyService,
    upstreams: Map<string, ScriptedUpstream>,
    target: Target,
    start: () => Program,
  ) {
    this.directory = directory;
    this.certificates = certificates;
    this.service = service;
    this.upstreams = upstreams;
    this.target = target;
    this.ask = new Asker(target);
    this.#start = start;
    this.#envoy = start();
  }

  get envoy(): Program {
    return this.#envoy;
  }

  /** The one upstream of most tests. */
  upstream(name = "public"): ScriptedUpstream {
    const upstream = this.upstreams.get(name);
    if (!upstream) throw new Error(`expected an upstream of ${[...this.upstreams.keys()].join(", ")}, got "${name}"`);
    return upstream;
  }

  /** A policy with the Upstream resources of this stack. */
  policy({ policy, upstreams }: Pick<StackOptions, "policy" | "upstreams">): string {
    const resources = Object.entries(upstreams).map(([name, { protocol = "DoT" }]) => {
      const port = this.upstream(name).ports[protocol.toLowerCase() as "dot" | "tcp" | "doh"];
      return upstreamResource(name, protocol, port, this.certificates.ca);
    });
    return joinDocuments(policy, ...resources);
  }

  /** Makes the text the whole set, and has it acknowledged by every worker. */
  async apply(text: string): Promise<void> {
    const { status, body } = await this.service.put(text);
    if (status !== 200) throw new Error(`the policy service answered ${status}: ${body}`);
  }

  /** Resolved when a query is answered: by the upstream, or by policy. */
  async ready(): Promise<void> {
    await eventually(READY_MS, "a query is answered", async () => {
      if (!this.envoy.running) throw new Error("envoy has ended");
      const server = { host: this.target.host, port: this.target.ports.udp };
      const question = encodeQuestion("ready.test");
      const answer = await askUdp(server, question, { from: CLIENTS.platform, timeoutMs: 500 });
      return answer.rcode !== "SERVFAIL";
    });
  }

  /** Another Envoy, ready when that says so. */
  async restartEnvoy(ready = () => this.ready()): Promise<void> {
    await this.#envoy.stop();
    this.#envoy = this.#start();
    await ready();
  }

  stats(pattern: RegExp): Promise<Map<string, number>> {
    return envoyStats(this.target, pattern);
  }

  /** VM reloads so far, each a trap. */
  async reloads(): Promise<number> {
    let sum = 0;
    for (const value of (await this.stats(/vm_reload/)).values()) sum += value;
    return sum;
  }

  async stop(): Promise<void> {
    await this.envoy.stop();
    await this.service.stop();
    for (const upstream of this.upstreams.values()) await upstream.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

type EnvoyOptions = Pick<BootstrapOptions, "policyService"> &
  Partial<Omit<BootstrapOptions, "limits">> & {
    readonly dnsPort?: number | undefined;
    readonly limits?: Partial<Limits> | undefined;
  };

/** A real Envoy on free ports of the loopback, as the bootstrap has it but for what is said here. */
export async function prepareEnvoy(
  directory: string,
  certificates: TestCertificates,
  { dnsPort, limits, ...options }: EnvoyOptions,
): Promise<{ readonly target: Target; readonly start: () => Program }> {
  const dns = dnsPort ?? (await freePort());
  const ports = { udp: dns, tcp: dns, dot: await freePort(), doh: await freePort() };
  const adminPort = await freePort();
  const bootstrap: BootstrapOptions = {
    node: "e2e",
    concurrency: 1,
    wasm: filterWasm,
    addresses: ["127.0.0.1"],
    ports,
    doh3: true,
    tls: {
      certificate: certificates.server.certFile,
      key: certificates.server.keyFile,
      clientCa: certificates.caFile,
    },
    settings: {},
    limits: { ...defaultLimits, ...limits },
    admin: { address: "127.0.0.1", port: adminPort },
    ...options,
  };
  const file = join(directory, "envoy.yaml");
  await writeFile(file, bootstrapYaml(bootstrap));
  const binary = await envoyBinary();
  const target: Target = {
    host: "127.0.0.1",
    ports,
    serverName: SERVER_NAME,
    ca: certificates.ca,
    caFile: certificates.caFile,
    clients: CLIENTS,
    admin: `http://127.0.0.1:${adminPort}`,
    metrics: "",
  };
  return {
    target,
    start: () => new Program("envoy", binary, [...envoyArguments(file, bootstrap), "-l", "warning"]),
  };
}

let found: Promise<string> | undefined;

/** Path of the Envoy binary, fetched once where there is none. */
export function envoyBinary(): Promise<string> {
  found ??= run("node", [here("../../envoy/fetch.mjs")]).then(({ stdout }) => stdout.trim());
  return found;
}
