/**
 * A thread that does jobs, one after the other, seen from the thread that asks: which never waits. It starts with the
 * first job, keeps the process alive only while it has one, and is replaced if it dies.
 */
import { Worker } from "node:worker_threads";

export interface JobThreadOptions {
  readonly name: string;
  readonly module: URL;
  /** Of the thread: a job that needs more fails, and the process goes on. */
  readonly heapMiB: number;
  /** What its module finds as `workerData`. */
  readonly data?: unknown;
}

/** What a thread is sent: it answers with the id, and a result or an error. */
export type JobMessage<T> = { readonly id: number } & { readonly job: T };
export type ResultMessage = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Large enough for what a job makes in passing; each idle thread keeps as much. */
const NURSERY_MIB = 12;

export class JobThread<Job> {
  readonly #options: JobThreadOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #lastId = 0;
  #closed = false;

  constructor(options: JobThreadOptions) {
    this.#options = options;
  }

  /** Rejects only when the thread failed. */
  ask<T>(job: Job): Promise<T> {
    const { name } = this.#options;
    if (this.#closed) return Promise.reject(new Error(`expected an open ${name}, got a closed one`));
    const worker = this.#start();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: (result) => resolve(result as T), reject });
      worker.ref();
      worker.postMessage({ id, job } satisfies JobMessage<Job>);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#fail(new Error(`the ${this.#options.name} was closed`));
    await worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const { name, module, heapMiB, data } = this.#options;
    const worker = new Worker(module, {
      name,
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: heapMiB, maxYoungGenerationSizeMb: NURSERY_MIB },
    });
    worker.on("message", (message: ResultMessage) => this.#settle(message));
    const lose = (error: Error) => {
      if (this.#worker === worker) this.#fail(error);
    };
    worker.on("error", lose);
    worker.on("exit", (code) => lose(new Error(`the thread ${name} ended with code ${code}`)));
    this.#worker = worker;
    return worker;
  }

  #settle(message: ResultMessage): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if (pending === undefined) return;
    if ("result" in message) pending.resolve(message.result);
    else pending.reject(new Error(`the thread ${this.#options.name} failed: ${message.error}`));
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}
