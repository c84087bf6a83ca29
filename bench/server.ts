/**
 * What is measured: a DNS server in a process of its own on core 0, with the same upstream, cache and certificate as
 * every other.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { eventually } from "../test/e2e/clients/deadline.ts";
import { askUdp } from "../test/e2e/clients/udp.ts";
import { encodeQuestion } from "../test/e2e/dns.ts";

const run = promisify(execFile);

/** Cores: the server has one to itself, everything else shares the other. */
export const SERVER_CORE = 0;
export const LOADER_CORE = 1;

/** The kernel's clock ticks (USER_HZ), which is 100 on every Linux that Envoy runs on. */
const TICKS_PER_SECOND = 100;

export interface ServerPorts {
  /** UDP and TCP. */
  dns: number;
  dot: number;
  doh: number;
}

export interface Settings {
  directory: string;
  ports: ServerPorts;
  /** Of the DNS-over-TLS server that everything is forwarded to. */
  upstreamPort: number;
  /** Files: a certificate for `localhost` and 127.0.0.1 that is its own authority, and its key. */
  certificate: string;
  key: string;
}

export interface RunningServer {
  ports: ServerPorts;
  /** The process whose CPU time counts. */
  pid: number;
  /** DNS-over-HTTPS path. */
  path: string;
  stop(): Promise<void>;
}

export interface Peer {
  name: string;
  /** Undefined where it is installed; else what to do. */
  missing(): Promise<string | undefined>;
  start(settings: Settings): Promise<RunningServer>;
}

/** Starts a program on a core, or on several (`0,1`); it is ready when it answers over UDP. */
export async function startPinned(
  cores: number | string,
  command: string[],
  ports: ServerPorts,
): Promise<RunningServer> {
  const child = spawn("taskset", ["-c", String(cores), ...command], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => {
      output = (output + data.toString()).slice(-4000);
    });
  }
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command[0]} does not start`);
  try {
    await eventually(10_000, `${command[0]} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      const question = encodeQuestion("n0.hit.bench");
      const answer = await askUdp({ host: "127.0.0.1", port: ports.dns }, question, { timeoutMs: 300 });
      return answer.rcode === "NOERROR";
    });
  } catch (error) {
    await stopProcess(child);
    throw new Error(`${error instanceof Error ? error.message : error}\n${output}`);
  }
  return { ports, pid, path: "/dns-query", stop: () => stopProcess(child) };
}

/** Moves a process that runs already, all of its threads. */
export async function pin(core: number, pid: number): Promise<void> {
  await run("taskset", ["-a", "-c", "-p", String(core), String(pid)]);
}

/** Puts a process before all others of its core, or among them again; where only root may, nothing happens. */
export async function prefer(pid: number, isPreferred: boolean): Promise<void> {
  const policy = isPreferred ? ["--fifo", "-p", "1"] : ["--other", "-p", "0"];
  await run("chrt", ["-a", ...policy, String(pid)]).catch(() => {});
}

export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
  await gone;
  clearTimeout(timer);
}

/** CPU time that a process has used, in microseconds, children not counted. */
export function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The second field is the program's name in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  if (!kilobytes) throw new Error(`process ${pid} has no resident memory`);
  return Number(kilobytes) * 1024;
}

/** A port that is free for UDP and TCP at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
