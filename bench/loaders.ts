/**
 * Load, each loader on the loader's core: dnsperf, h2load, and a small UDP generator of our own for what those cannot.
 */
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encodeQuestion } from "../test/e2e/dns.ts";
import { LOADER_CORE, type RunningServer } from "./server.ts";

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../.cache/bench/", import.meta.url));
const source = fileURLToPath(new URL("./loader/dnsload.c", import.meta.url));

export interface Load {
  answered: number;
  lost: number;
  seconds: number;
  p50_us?: number;
  p99_us?: number;
}

/** Names that are asked over and over: n0 to n99. */
export const HIT_NAMES = 100;

async function pinned(command: string, values: (string | number)[]): Promise<string> {
  const all = ["-c", String(LOADER_CORE), command, ...values.map(String)];
  const { stdout } = await run("taskset", all, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** The names that dnsperf asks, in a file. */
async function nameFile(): Promise<string> {
  await mkdir(cache, { recursive: true });
  const file = `${cache}hit-names`;
  const lines = Array.from({ length: HIT_NAMES }, (_, index) => `n${index}.hit.bench. A`);
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}

export interface DnsperfOptions {
  mode: "udp" | "tcp" | "dot";
  seconds: number;
  clients: number;
  outstanding: number;
}

export async function dnsperf(server: RunningServer, options: DnsperfOptions): Promise<Load> {
  const { mode, seconds, clients, outstanding } = options;
  const port = mode === "dot" ? server.ports.dot : server.ports.dns;
  const values = ["-m", mode, "-d", await nameFile(), "-l", seconds, "-c", clients, "-q", outstanding];
  return runDnsperf(port, values);
}

/** Each name once over UDP; the file has a line `NAME A` for each. */
export function askEachOnce(port: number, file: string): Promise<Load> {
  return runDnsperf(port, ["-m", "udp", "-d", file, "-n", 1, "-c", 20, "-q", 200]);
}

async function runDnsperf(port: number, values: (string | number)[]): Promise<Load> {
  const output = await pinned("dnsperf", ["-f", "inet", "-s", "127.0.0.1", "-p", port, "-t", 2, ...values]);
  const number = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const answered = number(/Queries completed:\s+(\d+)/);
  if (!(answered > 0)) throw new Error(`dnsperf got no answers:\n${output}`);
  const codes = /Response codes:\s+(.*)/.exec(output)?.[1] ?? "";
  if (!codes.startsWith("NOERROR") || codes.includes(","))
    throw new Error(`dnsperf expected NOERROR only, got ${codes}`);
  return { answered, lost: number(/Queries lost:\s+(\d+)/), seconds: number(/Run time \(s\):\s+([\d.]+)/) };
}

export interface DnsloadOptions {
  seconds: number;
  slots: number;
  /** Queries a second; 0 is as fast as answers come. */
  rate: number;
  sockets: "new" | "reuse";
  /** How many names in turn; 0: every name is new. */
  names: number;
}

let nextUniqueName = 1;

export async function dnsload(server: RunningServer, options: DnsloadOptions): Promise<Load> {
  const program = await compileDnsload();
  const { seconds, slots, rate, sockets, names } = options;
  const first = nextUniqueName;
  nextUniqueName += 10_000_000;
  const values = ["127.0.0.1", server.ports.dns, seconds, slots, rate, sockets, names, first % 4_000_000_000];
  return JSON.parse(await pinned(program, values)) as Load;
}

/** Compiles the generator where its source is newer. */
async function compileDnsload(): Promise<string> {
  await mkdir(cache, { recursive: true });
  const program = `${cache}dnsload`;
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs)
    await run("gcc", ["-O2", "-o", program, source]);
  return program;
}

/** DNS-over-HTTPS by GET, over a few connections with many streams each. */
export async function h2load(server: RunningServer, seconds: number): Promise<Load> {
  const question = encodeQuestion("n0.hit.bench", { id: 0 }).toString("base64url");
  const url = `https://127.0.0.1:${server.ports.doh}${server.path}?dns=${question}`;
  const output = await pinned("h2load", ["-D", seconds, "-c", 4, "-m", 20, "-t", 1, url]);
  const counts = /(\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed/.exec(output);
  const ok = Number(/status codes: (\d+) 2xx/.exec(output)?.[1] ?? 0);
  if (!counts || ok === 0) throw new Error(`h2load got no answers:\n${output}`);
  return { answered: ok, lost: Number(counts[4]), seconds };
}
