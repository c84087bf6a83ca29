/**
 * What is asked of a policy set, and what came of it.
 */
import type { CompiledPolicy } from "../compiled/snapshot.ts";
import type { Difference } from "../resources/difference.ts";
import type { Problem } from "../resources/problem.ts";

export interface Source {
  /** File name, or what the text came by: it stands in front of every problem. */
  readonly name: string;
  /** YAML, any number of documents; as octets, UTF-8. Shared memory crosses threads without a copy. */
  readonly text: string | Uint8Array;
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
  /** Refused as forbidden where it speaks of anything but DnsPolicies of this tenant alone. */
  readonly onlyTenant?: string | undefined;
  /** The outcome says what it changes as diffs, too. */
  readonly explain?: boolean;
}

export interface ResourceChange extends ResourceKey {
  /** `absent`: asked to be deleted, and was not there. */
  readonly change: "created" | "updated" | "unchanged" | "deleted" | "absent";
}

export interface Compiled {
  readonly ok: true;
  readonly policy: CompiledPolicy;
  /** The whole set as YAML, ordered by kind and name, each resource behind its formatDocumentStart(): shared UTF-8. */
  readonly text: Uint8Array;
  /** What became of each resource that the change speaks of, and of those that it pruned. */
  readonly changes: readonly ResourceChange[];
  /** Of a change with `explain`; otherwise empty. */
  readonly differences: readonly Difference[];
  readonly warnings: readonly Problem[];
}

export interface Refused {
  readonly ok: false;
  /** It may be valid, and is not for who asked to change. */
  readonly forbidden: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export type CompileResult = Compiled | Refused;
