/**
 * The compiling thread, seen from the decision thread: which never parses, and never waits.
 */
import { Worker } from "node:worker_threads";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import type { ObjectSource, ParsedObjects } from "../mesh/sources/parse-objects.ts";
import type { Change, CompileResult, Source } from "./change.ts";
import type { JobMessage } from "./worker.ts";

export interface Compiler {
  /**
   * Applies a change to a set and compiles the outcome, which has the number `revision` if it says something new.
   * Jobs are done one after the other. Rejects only when the compiling thread failed; what is wrong with the sources
   * is in the result.
   */
  compile(base: readonly Source[], change?: Change, revision?: number): Promise<CompileResult>;
  /** Every rule of a set that speaks of the request's tenant. */
  consider(base: readonly Source[], request: TenantRequest): Promise<readonly ConsideredRule[]>;
  /** Objects of the mesh out of the same texts; what is policy there is left to compile(). */
  readObjects(sources: readonly ObjectSource[]): Promise<ParsedObjects>;
  close(): Promise<void>;
}

export interface CompilerOptions {
  /** Where the worker's module is, for a service bundled into one file. */
  readonly workerUrl?: URL;
  /** Heap of the compiling thread; a set that needs more is refused, and the service goes on. 1024 by default. */
  readonly heapMiB?: number;
}

/** Where this is built, and where the sources run. */
const WORKER_MODULE = /\.ts(\?|$)/.test(import.meta.url) ? "./worker-from-sources.mjs" : "./worker.js";

const DEFAULT_HEAP_MIB = 1024;

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type ResultMessage = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string });

export function startCompiler(options: CompilerOptions = {}): Compiler {
  return new WorkerCompiler(options);
}

/** The thread starts with the first job, keeps the process alive only while it has one, and is replaced if it dies. */
class WorkerCompiler implements Compiler {
  readonly #options: CompilerOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #lastId = 0;
  #closed = false;

  constructor(options: CompilerOptions) {
    this.#options = options;
  }

  compile(base: readonly Source[], change?: Change, revision = 0): Promise<CompileResult> {
    return this.#ask<CompileResult>({ id: ++this.#lastId, base, change, revision });
  }

  consider(base: readonly Source[], request: TenantRequest): Promise<readonly ConsideredRule[]> {
    return this.#ask<readonly ConsideredRule[]>({ id: ++this.#lastId, base, request });
  }

  readObjects(objects: readonly ObjectSource[]): Promise<ParsedObjects> {
    return this.#ask<ParsedObjects>({ id: ++this.#lastId, objects });
  }

  /** The thread answers each message with what its kind asks for. */
  #ask<T>(message: JobMessage): Promise<T> {
    if (this.#closed) return Promise.reject(new Error("expected an open compiler, got a closed one"));
    const worker = this.#start();
    return new Promise((resolve, reject) => {
      this.#pending.set(message.id, { resolve: (result) => resolve(result as T), reject });
      worker.ref();
      worker.postMessage(message);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#fail(new Error("the compiler was closed"));
    await worker?.terminate();
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.#options.workerUrl ?? new URL(WORKER_MODULE, import.meta.url), {
      name: "policy-compiler",
      resourceLimits: { maxOldGenerationSizeMb: this.#options.heapMiB ?? DEFAULT_HEAP_MIB },
    });
    worker.on("message", (message: ResultMessage) => this.#settle(message));
    const lose = (error: Error) => {
      if (this.#worker === worker) this.#fail(error);
    };
    worker.on("error", lose);
    worker.on("exit", (code) => lose(new Error(`the compiling thread ended with code ${code}`)));
    this.#worker = worker;
    return worker;
  }

  #settle(message: ResultMessage): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if (pending === undefined) return;
    if ("result" in message) pending.resolve(message.result);
    else pending.reject(new Error(`the compiling thread failed: ${message.error}`));
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}
