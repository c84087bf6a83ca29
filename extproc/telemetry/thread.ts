/**
 * The telemetry thread, seen from the decision thread: which hands batches over, and never waits.
 */
import { Worker } from "node:worker_threads";
import type { ClientPod } from "./client-pods.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { TelemetryRoom } from "./local-telemetry.ts";
import { NoStoreError, type QueryFilter, type QuestionKind, type Questions } from "./questions.ts";
import { type TelemetrySettings, USUAL_SETTINGS } from "./settings.ts";
import type { FromThread, ThreadOptions, ToThread } from "./thread-messages.ts";

/** Where this is built, and where the sources run. */
const MODULE = /\.ts(\?|$)/.test(import.meta.url) ? "./thread-from-sources.mjs" : "./thread-main.js";
const HEAP_MIB = 512;
/** Events live for a moment: a larger nursery would only be more memory that is touched. */
const NURSERY_MIB = 8;
/** A thread that fails is started anew, but not again and again. */
const RESTART_MS = 1000;

interface Question {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

interface Watch {
  readonly filter: QueryFilter;
  readonly listener: (queries: readonly string[], lost: number) => void;
}

export interface ThreadTelemetryOptions extends ThreadOptions {
  readonly onTrouble: (message: string) => void;
  /** Runs a task later. */
  readonly after: (milliseconds: number, task: () => void) => () => void;
}

/** Resolved when the store, if there is to be one, is open; rejects where it cannot be. */
export async function startTelemetry(options: ThreadTelemetryOptions): Promise<TelemetryRoom> {
  const thread = new TelemetryThread(options);
  await thread.ready();
  return thread;
}

class TelemetryThread implements TelemetryRoom {
  readonly #options: ThreadTelemetryOptions;
  readonly #takes = new Map<number, (lines: readonly string[]) => void>();
  readonly #questions = new Map<number, Question>();
  readonly #watches = new Map<number, Watch>();
  #settings = USUAL_SETTINGS;
  #clients: () => readonly ClientPod[] = () => [];
  #worker: Worker | undefined;
  #becameReady: (error: string | undefined) => void = () => {};
  #lastId = 0;
  #closed = false;

  constructor(options: ThreadTelemetryOptions) {
    this.#options = options;
  }

  async ready(): Promise<void> {
    const error = await new Promise<string | undefined>((resolve) => {
      this.#becameReady = resolve;
      this.#start();
    });
    if (error === undefined) return;
    await this.#worker?.terminate();
    throw new Error(error);
  }

  take(batch: Uint8Array, node: string, done: (logged: readonly string[]) => void): void {
    // A copy of its own, whose memory changes hands: the batch is part of a larger message.
    const copy = new Uint8Array(batch);
    const id = ++this.#lastId;
    if (!this.#tell({ kind: "take", id, batch: copy, node }, [copy.buffer])) {
      done([]);
      return;
    }
    this.#takes.set(id, done);
  }

  connection(event: ConnectionEvent): void {
    this.#tell({ kind: "connection", event });
  }

  lost(count: number): void {
    this.#tell({ kind: "lost", count });
  }

  configure(settings: TelemetrySettings): void {
    this.#settings = settings;
    this.#tell({ kind: "configure", settings });
  }

  followClients(all: () => readonly ClientPod[]): (changed: readonly ClientPod[]) => void {
    this.#clients = all;
    const tell = (clients: readonly ClientPod[]) => {
      if (clients.length > 0) this.#tell({ kind: "clients", clients });
    };
    tell(all());
    return tell;
  }

  ask<K extends QuestionKind>(kind: K, asks: Questions[K]["asks"]): Promise<Questions[K]["answer"]> {
    return this.#ask({ kind: "ask", id: ++this.#lastId, question: kind, asks });
  }

  watch(filter: QueryFilter, listener: Watch["listener"]): () => void {
    const id = ++this.#lastId;
    this.#watches.set(id, { filter, listener });
    this.#tell({ kind: "watch", id, filter });
    return () => {
      this.#watches.delete(id);
      this.#tell({ kind: "unwatch", id });
    };
  }

  async close(): Promise<void> {
    if (this.#worker !== undefined) await this.#ask({ kind: "close", id: ++this.#lastId }).catch(() => {});
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #ask<T>(message: ToThread & { readonly id: number }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.#tell(message)) {
        reject(new Error("the telemetry thread is starting"));
        return;
      }
      this.#questions.set(message.id, { resolve: (answer) => resolve(answer as T), reject });
    });
  }

  #tell(message: ToThread, transfer: readonly ArrayBuffer[] = []): boolean {
    this.#worker?.postMessage(message, transfer);
    return this.#worker !== undefined;
  }

  #start(): void {
    const { onTrouble, after, ...options } = this.#options;
    const worker = new Worker(new URL(MODULE, import.meta.url), {
      name: "telemetry",
      workerData: options satisfies ThreadOptions,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: NURSERY_MIB },
    });
    this.#worker = worker;
    worker.on("message", (message: FromThread) => this.#hear(message));
    const lose = (reason: string) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#becameReady(reason);
      if (this.#closed) return;
      onTrouble(`the telemetry thread is started anew, what it had in memory is lost: ${reason}`);
      for (const done of this.#takes.values()) done([]);
      for (const { reject } of this.#questions.values()) reject(new Error(reason));
      this.#takes.clear();
      this.#questions.clear();
      after(RESTART_MS, () => this.#restart());
    };
    worker.on("error", (error: Error) => lose(error.message));
    worker.on("exit", (code) => lose(`it ended with code ${code}`));
  }

  #restart(): void {
    if (this.#closed) return;
    this.#start();
    this.#tell({ kind: "configure", settings: this.#settings });
    this.#tell({ kind: "clients", clients: this.#clients() });
    for (const [id, { filter }] of this.#watches) this.#tell({ kind: "watch", id, filter });
  }

  #hear(message: FromThread): void {
    switch (message.kind) {
      case "ready":
        this.#becameReady(message.error);
        return;
      case "taken": {
        const done = this.#takes.get(message.id);
        this.#takes.delete(message.id);
        done?.(message.lines);
        return;
      }
      case "answer":
        this.#settle(message.id)?.resolve(message.answer);
        return;
      case "failed": {
        const error = message.noStore ? new NoStoreError(message.error) : new Error(message.error);
        this.#settle(message.id)?.reject(error);
        return;
      }
      case "watched":
        this.#watches.get(message.id)?.listener(message.queries, message.lost);
        return;
      case "trouble":
        this.#options.onTrouble(message.message);
    }
  }

  #settle(id: number): Question | undefined {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    return question;
  }
}
