/**
 * One path of Consul's HTTP API, followed by blocking queries as Consul's documentation asks of clients ("Blocking
 * queries, implementation details"): an index that goes back or is none begins anew, a server that answers too often or
 * not at all is asked less, and no two clients ask in step.
 */
import { type Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { responseText } from "../../response-text.ts";

export interface ConsulServer {
  readonly url: URL;
  readonly agent: Agent;
  /** Read for each question: a token may be another by then. */
  readonly readToken: () => Promise<string | undefined>;
  readonly after: (milliseconds: number, task: () => void) => void;
}

export interface ConsulWatchOptions<T> {
  readonly server: ConsulServer;
  /** Without the parameters of a blocking query. */
  readonly path: string;
  readonly read: (body: unknown) => T;
  /** How long a question waits for something new, in seconds. */
  readonly waitSeconds: () => number;
  readonly onValue: (value: T) => void;
  readonly onError: (error: Error) => void;
}

const MAX_BODY = 64 * 2 ** 20;
/** Consul waits up to a sixteenth longer than it is asked to. */
const PATIENCE = 1 + 1 / 16;
const GRACE_MS = 10_000;
const BACK_OFF_MS = { least: 500, most: 30_000 } as const;
/** Between two questions that are answered at once. */
const PACE_MS = 50;

class ConsulError extends Error {
  override readonly name = "ConsulError";
}

export class ConsulWatch<T> {
  /** Resolved when it was answered once, or could not be. */
  readonly first: Promise<void>;
  readonly #options: ConsulWatchOptions<T>;
  readonly #stopped = new AbortController();
  #markFirst: () => void = () => {};

  constructor(options: ConsulWatchOptions<T>) {
    this.#options = options;
    this.first = new Promise((resolve) => {
      this.#markFirst = resolve;
    });
    // Not at once: who makes it has to know it before it tells of anything.
    void Promise.resolve().then(() => this.#run());
  }

  close(): void {
    this.#stopped.abort();
    this.#markFirst();
  }

  async #run(): Promise<void> {
    const { onValue, onError, read } = this.#options;
    let index = 0;
    let failures = 0;
    while (!this.#stopped.signal.aborted) {
      try {
        const answer = await this.#ask(index);
        if (this.#stopped.signal.aborted) return;
        if (index === 0 || answer.index !== index) onValue(read(answer.body));
        // It must not go back, after a restore of the servers for one; and 0 would not wait.
        index = answer.index < index ? 0 : Math.max(1, answer.index);
        failures = 0;
        this.#markFirst();
        await this.#pause(PACE_MS);
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        onError(error as Error);
        this.#markFirst();
        index = 0;
        const longest = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.least * 2 ** failures++);
        await this.#pause(longest / 2 + (Math.random() * longest) / 2);
      }
    }
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.#options.server.after(milliseconds, resolve));
  }

  async #ask(index: number): Promise<{ readonly index: number; readonly body: unknown }> {
    const { server, path, waitSeconds } = this.#options;
    const { url, agent, readToken } = server;
    const wait = waitSeconds();
    const query = index === 0 ? "" : `${path.includes("?") ? "&" : "?"}index=${index}&wait=${wait}s`;
    const token = await readToken();
    const headers = { accept: "application/json", ...(token === undefined ? {} : { "x-consul-token": token }) };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const timeout = (index === 0 ? 0 : wait * 1000 * PATIENCE) + GRACE_MS;
      const request = url.protocol === "https:" ? httpsRequest : httpRequest;
      const call = request(new URL(`${path}${query}`, url), { agent, headers, timeout, signal: this.#stopped.signal });
      call.on("timeout", () => call.destroy(new ConsulError(`expected an answer within ${timeout} ms, got none`)));
      call.on("response", resolve);
      call.on("error", reject);
      call.end();
    });
    const text = await responseText(response, MAX_BODY);
    const { statusCode, headers: answered } = response;
    if (statusCode !== 200)
      throw new ConsulError(`${path}: expected status 200, got ${statusCode}: ${text.slice(0, 200)}`);
    const found = Number(answered["x-consul-index"]);
    if (!Number.isSafeInteger(found)) throw new ConsulError(`${path}: expected X-Consul-Index, got none`);
    return { index: found, body: JSON.parse(text) };
  }
}
