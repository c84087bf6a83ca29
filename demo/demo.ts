/**
 * The demo: a local upstream, the policy service with examples/demo.yaml, and Envoy, each kept running until stop.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { bootstrapYaml } from "../envoy/bootstrap.ts";
import { type Endpoint, envoyArguments } from "../envoy/options.ts";
import { demo as profile } from "../envoy/profiles.ts";
import { type CertificateFiles, writeCertificates } from "./certificates.ts";
import { Child } from "./child.ts";
import { drain } from "./drain.ts";
import { send } from "./http.ts";
import { expectFree, loopback, type Ports } from "./ports.ts";
import { waitForAnswer } from "./question.ts";
import { Upstream } from "./upstream.ts";
import { parseZone } from "./zone.ts";

export interface DemoOptions {
  /** Envoy's binary. */
  envoy: string;
  /** The clone: examples/ and build/ are below it. */
  root: string;
  ports: Ports;
  /** Resources to begin with; upstream servers in it are found at the ports above. */
  policy: string;
  concurrency: number;
  /** One line for people. */
  say: (line: string) => void;
}

/** Workers of Envoy, where nobody says how many. */
export const defaultWorkers = Math.min(availableParallelism(), 4);

/** Ports of the upstream's servers in examples/demo.yaml. */
const written = { "upstream-dot": 8853, "upstream-doh": 8443, "upstream-tcp": 8053 } as const;
const upstreamName = "dns.upstream.example";
const startMs = 60_000;

export class Demo {
  readonly files: CertificateFiles;
  readonly folder: string;
  readonly #options: DemoOptions;
  readonly #upstream: Upstream;
  readonly #service: Child;
  readonly #envoy: Child;
  readonly #api: Endpoint;
  readonly #admin: Endpoint;
  #stopped: Promise<void> | undefined;

  /** Everything that can fail without a program running has failed or not when this returns. */
  static async create(options: DemoOptions): Promise<Demo> {
    await expectFree(options.ports);
    // Short and private: a Unix socket's path has at most 107 octets, and keys lie beside it.
    const folder = mkdtempSync(join(tmpdir(), "dnspolicy-"));
    try {
      const names = { names: ["localhost", upstreamName], addresses: loopback() };
      const files = await writeCertificates(folder, names, "spiffe://cluster.local/ns/web/sa/shop");
      return new Demo(options, folder, files);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(options: DemoOptions, folder: string, files: CertificateFiles) {
    const { root, ports } = options;
    this.#options = options;
    this.folder = folder;
    this.files = files;
    this.#api = { path: join(folder, "admin.sock") };
    this.#admin = { address: "127.0.0.1", port: ports.admin };
    const zone = join(root, "examples", "upstream.zone");
    this.#upstream = new Upstream({
      zone: parseZone(readFileSync(zone, "utf8"), zone),
      tls: { certificate: readFileSync(files.server, "utf8"), key: readFileSync(files.serverKey, "utf8") },
      ports: { dot: ports["upstream-dot"], doh: ports["upstream-doh"], tcp: ports["upstream-tcp"] },
    });
    const onRestart = (name: string, how: string, delay: number): void =>
      options.say(`${name} ended (${how}): starting it again in ${delay} ms, its log is ${join(folder, name)}.log`);
    this.#service = new Child(this.#serviceProgram(), { onRestart });
    this.#envoy = new Child(this.#envoyProgram(), { onRestart });
  }

  /** Resolves when a real query was answered. */
  async start(): Promise<void> {
    const { ports } = this.#options;
    await this.#upstream.start();
    this.#service.start();
    await this.#apply(demoPolicy(readFileSync(this.#options.policy, "utf8"), ports));
    this.#envoy.start();
    const asking = { name: "www.example.com", from: "127.0.2.1", server: "127.0.0.1", port: ports.udp, timeoutMs: 500 };
    if (await waitForAnswer(asking, startMs)) return;
    throw new Error(`no query was answered in ${startMs / 1000} s\n${this.#logs()}`);
  }

  /** Clients are given `patienceMs` to finish; then everything ends, and the folder is removed. */
  stop(patienceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(patienceMs);
    return this.#stopped;
  }

  /** Without waiting for anything. */
  kill(): void {
    for (const child of [this.#envoy, this.#service]) if (child.pid !== undefined) process.kill(child.pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  get pids(): { envoy: number | undefined; service: number | undefined } {
    return { envoy: this.#envoy.pid, service: this.#service.pid };
  }

  async #stop(patienceMs: number): Promise<void> {
    if (this.#envoy.pid !== undefined && patienceMs > 0) {
      const tellWorkers = async (): Promise<void> =>
        void (await send(this.#api, { method: "POST", path: "/v1/drain" }));
      await drain({ admin: this.#admin, tellWorkers, patienceMs });
    }
    await this.#envoy.stop();
    await this.#service.stop();
    await this.#upstream.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #apply(resources: string): Promise<void> {
    const until = Date.now() + startMs;
    const headers = { "content-type": "application/yaml" };
    for (;;) {
      try {
        const call = { method: "PUT", path: "/v1/resources", body: resources, headers, timeoutMs: startMs } as const;
        const { status, body } = await send(this.#api, call);
        if (status < 300) return;
        throw new Error(`examples/demo.yaml is refused (${status})\n${body}`);
      } catch (error) {
        const isDown = ["ENOENT", "ECONNREFUSED", "ECONNRESET"].includes((error as NodeJS.ErrnoException).code ?? "");
        if (!isDown) throw error;
        if (Date.now() > until) throw new Error(`the policy service does not start\n${this.#logs()}`);
        await pause(50);
      }
    }
  }

  #serviceProgram(): ConstructorParameters<typeof Child>[0] {
    const { root, ports } = this.#options;
    const serve = [
      // As in the image.
      "--max-semi-space-size=4",
      join(root, "build/extproc/main.js"),
      "serve",
      "--listen",
      `unix:${join(this.folder, "policy.sock")}`,
    ];
    serve.push("--store", join(this.folder, "store"), "--admin", `unix:${join(this.folder, "admin.sock")}`);
    serve.push("--admin-demo", `127.0.0.1:${ports.api}`, "--upstream-ca", this.files.ca);
    serve.push("--query-log", join(this.folder, "queries.jsonl"), "--certificate-checks", "1h");
    if (hasStore()) serve.push("--query-store", join(this.folder, "queries.db"));
    return { name: "service", command: process.execPath, arguments: serve, log: join(this.folder, "service.log") };
  }

  #envoyProgram(): ConstructorParameters<typeof Child>[0] {
    const { envoy, ports, concurrency, root } = this.#options;
    const options = {
      ...profile,
      concurrency,
      addresses: loopback(),
      wasm: join(root, "build/filter.wasm"),
      ports: { udp: ports.udp, tcp: ports.tcp, dot: ports.dot, doh: ports.doh },
      tls: { certificate: this.files.server, key: this.files.serverKey, clientCa: this.files.ca },
      policyService: { path: join(this.folder, "policy.sock") },
      admin: this.#admin,
    };
    const file = join(this.folder, "envoy.yaml");
    writeFileSync(file, bootstrapYaml(options));
    const quiet = ["--log-level", "warning", "--component-log-level", "config:error"];
    const args = [...envoyArguments(file, options), ...quiet];
    return { name: "envoy", command: envoy, arguments: args, log: join(this.folder, "envoy.log") };
  }

  #logs(): string {
    const names = ["service.log", "envoy.log"];
    return names.map((name) => `--- ${name}\n${lastLines(join(this.folder, name), 15)}`).join("\n");
  }
}

/** The demo's resources, with upstream servers where the flags put them. */
export function demoPolicy(text: string, ports: Ports): string {
  const documents = parseAllDocuments(text);
  for (const document of documents) {
    if (!("get" in document) || document.get("kind") !== "Upstream") continue;
    for (const [flag, port] of Object.entries(written)) {
      const servers = (document.toJS() as { spec: { servers: { port?: number }[] } }).spec.servers;
      for (const [index, server] of servers.entries()) {
        if (server.port === port) document.setIn(["spec", "servers", index, "port"], ports[flag as keyof Ports]);
      }
    }
  }
  return documents.map((document) => document.toString({ directives: false })).join("---\n");
}

/** The package of past queries is one that an installation may be without. */
function hasStore(): boolean {
  try {
    createRequire(import.meta.url).resolve("@duckdb/node-api");
    return true;
  } catch {
    return false;
  }
}

function lastLines(file: string, count: number): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n");
  } catch {
    return "(none)";
  }
}
