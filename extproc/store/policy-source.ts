/**
 * Where the policy in force comes from: a store that this process writes, or a directory that somebody else does.
 */
import type { ResourceChange, ResourceKey } from "../compile/change.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { Problem } from "../resources/problem.ts";

export interface SourceStatus {
  readonly mode: "store" | "watch";
  readonly directory: string;
  /** Of the policy in force; 0 and empty while there is none. */
  readonly sequence: number;
  readonly hash: string;
  readonly warnings: readonly Problem[];
  /** Why newer content is not in force; empty when nothing is held back. */
  readonly problems: readonly Problem[];
}

export interface StoredResource extends ResourceKey {
  readonly text: string;
}

export interface PolicySource {
  /** The policy in force; undefined only in watch mode, before the first valid content. */
  current(): Snapshot | undefined;
  status(): SourceStatus;
  /** Called after a new policy came into force. Returns how to stop. */
  onChange(listener: (snapshot: Snapshot) => void): () => void;
  /** The resources in force, as they were written, ordered by kind and name. */
  resources(): readonly StoredResource[];
  close(): Promise<void>;
}

export interface Accepted {
  readonly ok: true;
  /** False: the set already said this, and the sequence stays. */
  readonly changed: boolean;
  readonly sequence: number;
  readonly hash: string;
  readonly snapshot: Snapshot;
  readonly changes: readonly ResourceChange[];
  readonly warnings: readonly Problem[];
}

export interface Rejected {
  readonly ok: false;
  /** `invalid`: the set would not be valid. `conflict`: another process has written this store. */
  readonly reason: "invalid" | "conflict";
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export type ApplyResult = Accepted | Rejected;
