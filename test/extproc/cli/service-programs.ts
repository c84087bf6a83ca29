/**
 * Several policy services as programs of their own, asked by their admin API as people ask them.
 */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { eventually } from "../../e2e/clients/deadline.ts";
import { type Outcome, Program, runCommand } from "./run-command.ts";

export interface Status {
  readonly sequence: number;
  readonly hash: string;
  readonly problems: readonly { readonly message: string }[];
  readonly workers: { readonly connected: number };
  readonly envoys: readonly unknown[];
  readonly mesh: { readonly virtualAddresses: { readonly used: number; readonly without: number } };
}

export class ServicePrograms {
  readonly folder: string;
  readonly programs = new Map<string, Program>();
  readonly #flags: (name: string) => readonly string[];

  /** `folder`: for sockets, and removed at the end. `flags`: of `dnspolicy serve`, for each service. */
  constructor(folder: string, flags: (name: string) => readonly string[]) {
    this.folder = folder;
    this.#flags = flags;
  }

  socket(name: string, socket: "grpc" | "admin"): string {
    return join(this.folder, `${name}-${socket}.sock`);
  }

  async start(...names: string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        const sockets = ["--listen", `unix:${this.socket(name, "grpc")}`, "--admin", this.#admin(name)];
        const program = new Program(["serve", ...sockets, ...this.#flags(name)]);
        this.programs.set(name, program);
        await program.said("the policy service is up");
      }),
    );
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.programs.get(name)?.kill(signal);
  }

  /** Resolved when it is gone. */
  async end(name: string, signal: NodeJS.Signals): Promise<number | null | undefined> {
    this.signal(name, signal);
    return (await this.programs.get(name)?.end())?.code;
  }

  ask(name: string, ...args: string[]): Promise<Outcome> {
    return this.tell(name, "", ...args);
  }

  tell(name: string, stdin: string, ...args: string[]): Promise<Outcome> {
    return runCommand([...args, "--server", this.#admin(name)], { stdin });
  }

  async statusOf(name: string): Promise<Status> {
    return JSON.parse((await this.ask(name, "status", "-o", "json")).stdout) as Status;
  }

  /** How many decisions it has made. */
  async decisionsOf(name: string): Promise<number> {
    const lines = (await this.metricsOf(name)).matchAll(/^dns_decisions_total\{[^}]*\} (\d+)$/gm);
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async metricsOf(name: string): Promise<string> {
    const from = { socketPath: this.socket(name, "admin"), path: "/metrics", headers: { host: "localhost" } };
    const [response] = (await once(request(from).end(), "response")) as [IncomingMessage];
    return text(response);
  }

  /** Gives the status. */
  async put(name: string, path: string, body: object): Promise<number> {
    const headers = { host: "localhost", "content-type": "application/json" };
    const asking = request({ socketPath: this.socket(name, "admin"), path, method: "PUT", headers });
    const [response] = (await once(asking.end(JSON.stringify(body)), "response")) as [IncomingMessage];
    response.resume();
    return response.statusCode ?? 0;
  }

  /** Resolved when both services have the same policy under the same number. */
  async agreed(above = 0): Promise<Status> {
    let found: Status | undefined;
    await eventually(20_000, `a number above ${above} of all services`, async () => {
      const [first, ...others] = await Promise.all([...this.programs.keys()].map((name) => this.statusOf(name)));
      found = first;
      if (first === undefined || first.sequence <= above) return false;
      return others.every(({ sequence, hash }) => sequence === first.sequence && hash === first.hash);
    });
    if (found === undefined) throw new Error("expected a status");
    return found;
  }

  /** For a test that has failed. */
  printLogs(): void {
    for (const [name, { log }] of this.programs) console.error(`service ${name}:\n${log}`);
  }

  async close(): Promise<void> {
    for (const program of this.programs.values()) {
      program.kill("SIGCONT");
      // Whoever leads gives that back.
      program.kill("SIGTERM");
    }
    await Promise.all([...this.programs.values()].map((program) => program.end()));
    await rm(this.folder, { recursive: true });
  }

  #admin(name: string): string {
    return `unix:${this.socket(name, "admin")}`;
  }
}
