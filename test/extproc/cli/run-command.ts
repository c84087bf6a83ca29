/**
 * Commands run in this process, and the whole program in one of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { run } from "../../../extproc/cli/program.ts";
import { FakeClock } from "../server/fake-clock.ts";

const ROOT = join(import.meta.dirname, "../../..");
const main = process.env.DNSPOLICY ?? join(ROOT, "extproc/main.ts");

/** `dnspolicy` as Node runs it: from its sources, or the built one that `DNSPOLICY` names, which starts sooner. */
export const PROGRAM = main.endsWith(".ts") ? ["--import", "tsx", main] : [main];

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface World {
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** A command, on a clock that does not move. */
export async function runCommand(
  args: readonly string[],
  { environment = {}, stdin = "" }: World = {},
): Promise<Outcome> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const code = await run({
    arguments: args,
    userName: "tester",
    environment,
    clock: new FakeClock(),
    stdout,
    stderr,
    readStdin: async () => Buffer.from(stdin),
    onStop: () => {},
    onReopen: () => {},
  });
  return { code, stdout: String(stdout.read() ?? ""), stderr: String(stderr.read() ?? "") };
}

/** `dnspolicy ARGS` in a process of its own. */
export class Program {
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, [...PROGRAM, ...args], { cwd: ROOT, stdio: "pipe" });
    this.#child.stdout?.on("data", (data) => {
      this.#stdout += data;
    });
    this.#child.stderr?.on("data", (data) => {
      this.#stderr += data;
    });
  }

  get log(): string {
    return this.#stderr;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolved when the program has said this, by its log. */
  async said(text: string): Promise<void> {
    while (!this.#stderr.includes(text)) {
      if (this.#child.exitCode !== null) throw new Error(`expected ${text}, got an end:\n${this.#stderr}`);
      await once(this.#child.stderr as NodeJS.ReadableStream, "data");
    }
  }

  async end(): Promise<Outcome> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "close");
    return { code: this.#child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }
}
