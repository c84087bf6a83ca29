/**
 * The compiling thread, seen from the decision thread: which never parses, and never waits.
 */

import type { Change, CompileResult, Source } from "../compile/change.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import type { Finding } from "../lint/finding.ts";
import type { ObjectSource, ParsedObjects } from "../mesh/sources/parse-objects.ts";
import { JobThread } from "../threads/job-thread.ts";
import type { CompileJob } from "./worker.ts";

export interface Compiler {
  /**
   * Applies a change to a set and compiles the outcome, which has the number `revision` if it says something new.
   * Jobs are done one after the other. Rejects only when the compiling thread failed; what is wrong with the sources
   * is in the result.
   */
  compile(base: readonly Source[], change?: Change, revision?: number): Promise<CompileResult>;
  /** Every rule of a set that speaks of the request's tenant. */
  consider(base: readonly Source[], request: TenantRequest, lists: NamedTables): Promise<readonly ConsideredRule[]>;
  /** What deserves a second look in a stored set. */
  lint(base: readonly Source[]): Promise<readonly Finding[]>;
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

export function startCompiler(options: CompilerOptions = {}): Compiler {
  return new WorkerCompiler(options);
}

class WorkerCompiler implements Compiler {
  readonly #thread: JobThread<CompileJob>;

  constructor({ workerUrl, heapMiB = DEFAULT_HEAP_MIB }: CompilerOptions) {
    const module = workerUrl ?? new URL(WORKER_MODULE, import.meta.url);
    this.#thread = new JobThread({ name: "policy-compiler", module, heapMiB });
  }

  compile(base: readonly Source[], change?: Change, revision = 0): Promise<CompileResult> {
    return this.#thread.ask({ base, change, revision });
  }

  consider(base: readonly Source[], request: TenantRequest, lists: NamedTables): Promise<readonly ConsideredRule[]> {
    return this.#thread.ask({ base, request, lists });
  }

  lint(base: readonly Source[]): Promise<readonly Finding[]> {
    return this.#thread.ask({ base, lint: true });
  }

  readObjects(objects: readonly ObjectSource[]): Promise<ParsedObjects> {
    return this.#thread.ask({ objects });
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
