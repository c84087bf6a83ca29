/**
 * A program under test: its output kept, its end noticed, stopped without leaving anything.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { within } from "./clients/deadline.ts";

const OUTPUT_KEPT = 200_000;

export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  #output = "";

  constructor(
    name: string,
    command: string,
    values: string[],
    options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ) {
    this.name = name;
    this.#child = spawn(command, values, { stdio: ["ignore", "pipe", "pipe"], ...options });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (data: Buffer) => {
        this.#output = (this.#output + data.toString()).slice(-OUTPUT_KEPT);
      });
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(error.message));
      this.#child.once("close", (code, signal) => resolve(signal ?? code ?? 0));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start: ${this.#output}`);
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** The last of what it wrote to its outputs. */
  get output(): string {
    return this.#output;
  }

  /** Resolved with the exit code, or the signal's name, when it has ended. */
  get ended(): Promise<number | string> {
    return this.#ended;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    // A stopped process takes no other signal before it goes on.
    this.#child.kill("SIGCONT");
    this.#child.kill("SIGTERM");
    await within(5000, `end of ${this.name}`, this.#ended).catch(() => this.kill());
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await within(5000, `end of ${this.name}`, this.#ended);
  }

  /** Resident memory in bytes. */
  get residentBytes(): number {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, "latin1"))?.[1];
    if (!kilobytes) throw new Error(`${this.name} has ended`);
    return Number(kilobytes) * 1024;
  }
}
