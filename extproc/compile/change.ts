/**
 * What is asked of a policy set, and what came of it.
 */
import type { CompiledPolicy } from "../compiled/snapshot.ts";
import type { Problem } from "../resources/problem.ts";

export interface Source {
  /** File name, or what the text came by: it stands in front of every problem. */
  readonly name: string;
  /** YAML, any number of documents. */
  readonly text: string;
}

export interface ResourceKey {
  readonly kind: string;
  readonly name: string;
}

export interface Change {
  /** Resources to create or replace. */
  readonly upsert?: readonly Source[];
  /** The upserted resources become the whole set. */
  readonly prune?: boolean;
  readonly delete?: readonly ResourceKey[];
}

export interface ResourceChange extends ResourceKey {
  /** `absent`: asked to be deleted, and was not there. */
  readonly change: "created" | "updated" | "unchanged" | "deleted" | "absent";
}

export interface Compiled {
  readonly ok: true;
  readonly policy: CompiledPolicy;
  /** The whole set as YAML, one document a resource, in a fixed order: UTF-8 in shared memory. */
  readonly text: Uint8Array;
  readonly changes: readonly ResourceChange[];
  readonly warnings: readonly Problem[];
}

export interface Refused {
  readonly ok: false;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export type CompileResult = Compiled | Refused;
