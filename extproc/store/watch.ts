/**
 * A directory of YAML that somebody else writes: a ConfigMap mount, or the store of the one writer.
 */
import type { Compiler } from "../compile/compiler.ts";
import type { PolicySource } from "./policy-source.ts";

export interface WatchedDirectory extends PolicySource {
  /** Reads the directory now; resolved when what was there at the call has been judged. */
  refresh(): Promise<void>;
}

export interface WatchOptions {
  readonly directory: string;
  readonly compiler: Compiler;
  /** Reads the directory anew this often, for file systems without notification; 5000 by default, 0 for never. */
  readonly rescanMs?: number;
}

export async function watchDirectory(_options: WatchOptions): Promise<WatchedDirectory> {
  throw new Error("the watch is not there yet");
}
