/**
 * A program that is kept running: started again when it dies, stopped when it is told to.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";

export interface Program {
  name: string;
  command: string;
  arguments: string[];
  /** Where its output goes. */
  log: string;
  cwd?: string;
}

export interface ChildEvents {
  /** It died without being told to, and is started again after this many milliseconds. */
  onRestart?: (name: string, how: string, delay: number) => void;
}

const firstDelay = 100;
const longestDelay = 2000;
/** Alive for this long, it starts afresh: the next restart is quick again. */
const settled = 10_000;

export class Child {
  readonly name: string;
  readonly #program: Program;
  readonly #events: ChildEvents;
  readonly #log: WriteStream;
  #process: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  #delay = firstDelay;

  constructor(program: Program, events: ChildEvents = {}) {
    this.name = program.name;
    this.#program = program;
    this.#events = events;
    this.#log = createWriteStream(program.log, { flags: "a" });
    // A full or vanished disk costs the log, not the program.
    this.#log.on("error", () => {});
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): void {
    const { command, arguments: args, cwd } = this.#program;
    const started = Date.now();
    // A group of its own: Ctrl-C at the terminal reaches the supervisor alone, which ends the programs in order.
    const child = spawn(command, args, { cwd, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    this.#gone = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#process !== child) return;
        this.#process = undefined;
        resolve();
        if (!this.#stopping) this.#restart(how, Date.now() - started);
      };
      child.once("error", (error) => end(error.message));
      child.once("exit", (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  /** Ends it: SIGTERM, and SIGKILL when that took longer than the grace. */
  async stop(grace = 5000): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#process;
    if (child) {
      child.kill("SIGTERM");
      const kill = setTimeout(() => child.kill("SIGKILL"), grace);
      await this.#gone;
      clearTimeout(kill);
    }
    this.#log.end();
  }

  #restart(how: string, lived: number): void {
    const delay = lived > settled ? firstDelay : this.#delay;
    this.#delay = Math.min(delay * 2, longestDelay);
    this.#events.onRestart?.(this.name, how, delay);
    this.#timer = setTimeout(() => this.start(), delay);
  }
}
