/**
 * The policy service under test, as its users start it: `dnspolicy serve`, and `dnspolicy apply` to push.
 */
import { execFile } from "node:child_process";
import { request } from "node:http";
import { promisify } from "node:util";
import { PROGRAM } from "../extproc/cli/run-command.ts";
import { eventually } from "./clients/deadline.ts";
import { Program } from "./process.ts";

const run = promisify(execFile);
/** A machine that is busy with something else takes many seconds to start it. */
const READY_MS = 60_000;

export class PolicyService {
  readonly #directory: string;
  readonly #token: string | undefined;
  readonly #flags: readonly string[];
  #program: Program;

  /** `token`: what every gRPC caller is asked for. */
  /** `flags`: more of `dnspolicy serve`. */
  static async start(directory: string, token?: string, flags: readonly string[] = []): Promise<PolicyService> {
    const service = new PolicyService(directory, token, flags);
    try {
      await service.#ready();
    } catch (error) {
      await service.stop();
      throw error;
    }
    return service;
  }

  private constructor(directory: string, token: string | undefined, flags: readonly string[]) {
    this.#directory = directory;
    this.#flags = flags;
    this.#token = token;
    this.#program = this.#spawn();
  }

  /** Socket of its gRPC services. */
  get socket(): string {
    return `${this.#directory}/policy.sock`;
  }

  /** Where its admin API is, as commands are told. */
  get admin(): string {
    return `unix:${this.#admin}`;
  }

  get #admin(): string {
    return `${this.#directory}/admin.sock`;
  }

  get queryLog(): string {
    return `${this.#directory}/queries.jsonl`;
  }

  get program(): Program {
    return this.#program;
  }

  /** Makes the text the whole policy set; resolved when every worker has acknowledged it. */
  async apply(text: string): Promise<string> {
    const child = run("node", [...PROGRAM, "apply", "--server", this.admin, "--prune", "-f", "-"]);
    child.child.stdin?.end(text);
    const { stdout } = await child;
    return stdout;
  }

  /** `dnspolicy COMMAND`, with this service: what it prints. */
  async command(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await run("node", [...PROGRAM, command, "--server", this.admin, ...args]);
    return stdout;
  }

  /** apply() by the admin API, without a process of its own for each push. */
  async put(text: string): Promise<{ status: number; body: string }> {
    return this.request("PUT", "/v1/resources?prune=true", text, { "content-type": "application/yaml" });
  }

  metrics(): Promise<string> {
    return this.request("GET", "/metrics").then(({ body }) => body);
  }

  request(
    method: string,
    path: string,
    body = "",
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.#admin, method, path, headers: { host: "localhost", ...headers } });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        response.on("error", reject);
      });
      outgoing.end(body);
    });
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }

  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** Starts it again on the same store. */
  async restart(): Promise<void> {
    this.#program = this.#spawn();
    await this.#ready();
  }

  #spawn(): Program {
    const places = [
      "--listen",
      `unix:${this.socket}`,
      "--admin",
      `unix:${this.#admin}`,
      "--store",
      `${this.#directory}/store`,
    ];
    const token = this.#token === undefined ? [] : ["--token", this.#token];
    const values = ["serve", ...places, ...token, "--query-log", this.queryLog, ...this.#flags];
    return new Program("dnspolicy serve", "node", [...PROGRAM, ...values]);
  }

  async #ready(): Promise<void> {
    await eventually(READY_MS, "the policy service is ready", async () => {
      if (!this.#program.running) throw new Error(`it ended: ${this.#program.output}`);
      return (await this.request("GET", "/readyz")).status === 200;
    });
  }
}
