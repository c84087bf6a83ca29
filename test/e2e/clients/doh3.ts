/**
 * DNS over HTTP/3, by aioquic: the Python package is installed into `.cache/` at its first use.
 */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http2";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { within } from "./deadline.ts";
import type { DohAsker, DohResponse } from "./doh.ts";
import type { Address } from "./udp.ts";

const run = promisify(execFile);
const venv = fileURLToPath(new URL("../../../.cache/aioquic/", import.meta.url));
const script = fileURLToPath(new URL("./h3_client.py", import.meta.url));
const AIOQUIC = "aioquic==1.*";

export interface Doh3Options {
  serverName: string;
  ca: string;
  from?: string;
  certificate?: { cert: string; key: string };
}

/** The interpreter that has aioquic. */
export async function installAioquic(): Promise<string> {
  const python = `${venv}bin/python`;
  if (!existsSync(`${venv}installed`)) {
    await run("python3", ["-m", "venv", venv]);
    await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", AIOQUIC]);
    await run("touch", [`${venv}installed`]);
  }
  return python;
}

interface Message {
  id?: number;
  ready?: boolean;
  closed?: string;
  error?: string;
  headers?: [string, string][];
  body?: string;
}

export class Doh3Client implements DohAsker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #authority: string;
  readonly #waiting = new Map<number, { resolve: (response: DohResponse) => void; reject: (error: Error) => void }>();
  #ready: (() => void) | undefined;
  #failed: Error | undefined;
  #nextId = 1;

  static async open(server: Address, options: Doh3Options): Promise<Doh3Client> {
    const python = await installAioquic();
    const { certificate } = options;
    const child = spawn(python, [
      script,
      server.host,
      String(server.port),
      options.serverName,
      options.ca,
      options.from ?? "-",
      certificate?.cert ?? "-",
      certificate?.key ?? "-",
    ]);
    const client = new Doh3Client(child, `${options.serverName}:${server.port}`);
    const ready = new Promise<void>((resolve, reject) => {
      client.#ready = resolve;
      client.#waiting.set(0, { resolve: () => resolve(), reject });
    });
    try {
      await within(10_000, `HTTP/3 connection to ${server.host}:${server.port}`, ready);
    } catch (error) {
      await client.close();
      throw error;
    }
    client.#waiting.delete(0);
    return client;
  }

  private constructor(child: ChildProcessWithoutNullStreams, authority: string) {
    this.#child = child;
    this.#authority = authority;
    let complaint = "";
    child.stderr.on("data", (data: Buffer) => {
      complaint += data.toString();
    });
    child.on("close", () => this.#fail(new Error(`the HTTP/3 client ended: ${complaint}`)));
    createInterface({ input: child.stdout }).on("line", (line) => this.#accept(JSON.parse(line) as Message));
  }

  request(headers: OutgoingHttpHeaders, body?: Buffer): Promise<DohResponse> {
    if (this.#failed) return Promise.reject(this.#failed);
    const id = this.#nextId++;
    const fields = Object.entries(headers).map(([name, value]) => [name, String(value)]);
    const [method, path] = [":method", ":path"].map((name) => fields.find(([key]) => key === name));
    const others = fields.filter(([name]) => !name?.startsWith(":"));
    const all = [method, [":scheme", "https"], [":authority", this.#authority], path, ...others];
    const response = new Promise<DohResponse>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.stdin.write(`${JSON.stringify({ id, headers: all, body: body?.toString("base64") ?? "" })}\n`);
    return within(5000, "HTTP/3 response", response).finally(() => this.#waiting.delete(id));
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }

  #accept(message: Message): void {
    if (message.ready) this.#ready?.();
    if (message.closed !== undefined) this.#fail(new Error(`HTTP/3 connection closed: ${message.closed}`));
    if (message.id === undefined) return;
    const waiting = this.#waiting.get(message.id);
    if (message.error) waiting?.reject(new Error(message.error));
    const headers = Object.fromEntries(message.headers ?? []);
    waiting?.resolve({ status: Number(headers[":status"]), headers, body: Buffer.from(message.body ?? "", "base64") });
  }

  #fail(error: Error): void {
    this.#failed ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
