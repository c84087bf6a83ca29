/**
 * The store of the one writer: a directory with one state file.
 */
import type { Change } from "../compile/change.ts";
import type { Compiler } from "../compile/compiler.ts";
import type { ApplyResult, PolicySource } from "./policy-source.ts";

export interface PolicyStore extends PolicySource {
  /** Validated as a whole, stored, then in force; or nothing happens. Calls are done one after the other. */
  apply(change: Change, options?: { readonly dryRun?: boolean }): Promise<ApplyResult>;
}

export interface StoreOptions {
  readonly directory: string;
  readonly compiler: Compiler;
  /** Sequence number of the first set in an empty directory; 1 by default. */
  readonly firstSequence?: number;
}

export async function openStore(_options: StoreOptions): Promise<PolicyStore> {
  throw new Error("the store is not there yet");
}
