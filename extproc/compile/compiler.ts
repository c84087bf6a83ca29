/**
 * The compiling thread: YAML in, compiled policy out, and the decision thread never waits for it.
 */
import type { Change, CompileResult, Source } from "./change.ts";

export interface Compiler {
  /** Applies a change to a set and compiles the outcome. Jobs are done one after the other. */
  compile(base: readonly Source[], change?: Change): Promise<CompileResult>;
  close(): Promise<void>;
}

export interface CompilerOptions {
  /** Where the worker's module is, for a service bundled into one file. */
  readonly workerUrl?: URL;
}

export function startCompiler(_options: CompilerOptions = {}): Compiler {
  throw new Error("the compiler is not there yet");
}
