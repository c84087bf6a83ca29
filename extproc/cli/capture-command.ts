/**
 * `dnspolicy capture`: lets programs that know nothing of Envoy ask it, and puts everything back.
 */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { text } from "node:stream/consumers";
import { CAPTURE_BACKENDS, captureBy } from "../capture/capture.ts";
import { isCaptured, withNameservers, withoutNameservers } from "../capture/resolv-conf.ts";
import type { Capture, VirtualCapture } from "../capture/rules.ts";
import { parseNetwork } from "../resources/network.ts";
import { USUAL_VIRTUAL } from "../resources/settings-schema.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export const CAPTURE_TASKS = ["install", "remove", "check"] as const;
export const CAPTURE_WAYS = [...CAPTURE_BACKENDS, "resolv-conf"] as const;

/** Those of Settings, where they say nothing else. */
export const VIRTUAL_RANGES: readonly string[] = [USUAL_VIRTUAL.ipv4, USUAL_VIRTUAL.ipv6];

type Task = (typeof CAPTURE_TASKS)[number];
type Way = (typeof CAPTURE_WAYS)[number];

export interface CaptureOptions {
  readonly with: Way;
  readonly port: string;
  readonly uid?: readonly string[];
  readonly mark?: string;
  readonly virtualPort?: string;
  readonly virtualRange?: readonly string[];
  readonly resolverPort?: string;
  readonly nameserver?: readonly string[];
  readonly file: string;
  readonly dryRun?: boolean;
}

export async function runCapture(context: Context, task: Task, options: CaptureOptions): Promise<ExitCode> {
  const way = options.with;
  const say = (text: string) => void context.stdout.write(`${text}\n`);
  if (way === "resolv-conf") return captureByFile(task, options, say);
  const rules = captureBy(way, runProgram);
  if (options.dryRun === true) {
    say(rules.plan(readCapture(options)).trimEnd());
    return ExitCode.OK;
  }
  if (task === "remove") {
    await rules.remove();
    say(`${way}: removed`);
    return ExitCode.OK;
  }
  const capture = readCapture(options);
  if (task === "install") await rules.install(capture);
  const state = await rules.check(capture);
  const words = { installed: "installed", other: "installed with other settings than these", absent: "not installed" };
  say(`${way}: ${words[state]}`);
  return state === "installed" ? ExitCode.OK : ExitCode.FAILED;
}

async function captureByFile(task: Task, options: CaptureOptions, say: (text: string) => void): Promise<ExitCode> {
  const { file, nameserver = ["127.0.0.1"] } = options;
  for (const address of nameserver) {
    if (isIP(address) === 0) throw usage(`--nameserver: expected an address, got ${address}`);
  }
  const before = await readFile(file, "utf8");
  const wanted = withNameservers(before, nameserver);
  const after = task === "install" ? wanted : task === "remove" ? withoutNameservers(before) : before;
  if (options.dryRun === true) {
    say(wanted.trimEnd());
    return ExitCode.OK;
  }
  // Written in place: in a container the file is a mount of its own, over which nothing can be moved.
  if (after !== before) await writeFile(file, after);
  if (task === "remove") {
    say(`${file}: as it was`);
    return ExitCode.OK;
  }
  const other = isCaptured(before) ? "names Envoy by other addresses than these" : "does not name Envoy";
  say(`${file}: ${after === wanted ? "names Envoy" : other}`);
  return after === wanted ? ExitCode.OK : ExitCode.FAILED;
}

function readCapture(options: CaptureOptions): Capture {
  const { port, uid = [], mark } = options;
  if (uid.length === 0 && mark === undefined) {
    throw usage("expected --uid or --mark of Envoy: what it sends itself must not come back to it");
  }
  return {
    port: readPort("--port", port),
    users: uid.map((user) => readNumber("--uid", user, 0, 2 ** 32 - 2)),
    mark: mark === undefined ? undefined : readNumber("--mark", mark, 1, 2 ** 32 - 1),
    virtual: readVirtual(options),
  };
}

function readVirtual({ virtualPort, virtualRange, resolverPort }: CaptureOptions): VirtualCapture | undefined {
  if (virtualPort === undefined) {
    const [alone] = [
      ...(virtualRange === undefined ? [] : ["--virtual-range"]),
      ...(resolverPort === undefined ? [] : ["--resolver-port"]),
    ];
    if (alone !== undefined) throw usage(`${alone}: expected --virtual-port beside it`);
    return undefined;
  }
  return {
    port: readPort("--virtual-port", virtualPort),
    ranges: (virtualRange ?? VIRTUAL_RANGES).map((text) => {
      const network = parseNetwork(text);
      if (typeof network === "string") throw usage(`--virtual-range: expected ${network}, got ${text}`);
      return network;
    }),
    resolverPort: resolverPort === undefined ? undefined : readPort("--resolver-port", resolverPort),
  };
}

function readPort(option: string, text: string): number {
  return readNumber(option, text, 1, 65_535);
}

function readNumber(option: string, text: string, least: number, most: number): number {
  const number = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw usage(`${option}: expected a number from ${least} to ${most}, got ${text}`);
}

function usage(message: string): CommandError {
  return new CommandError(ExitCode.USAGE, message);
}

async function runProgram(command: string, args: readonly string[], input = ""): Promise<string> {
  const child = spawn(command, args, { stdio: "pipe" });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new Error(`there is no program ${command} here`) : error),
    );
    child.once("close", resolve);
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code === 0) return stdout;
  throw new Error(`${[command, ...args].join(" ")} failed (${code}): ${stderr.trim() || stdout.trim()}`);
}
