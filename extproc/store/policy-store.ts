/**
 * A policy source that may be changed: what is asked of it, and what comes of it.
 */
import type { Change, ResourceChange } from "../compile/change.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { Difference } from "../resources/difference.ts";
import type { ListedResource } from "../resources/document-start.ts";
import type { Problem } from "../resources/problem.ts";
import type { PolicySource } from "./policy-source.ts";
import type { Author, Version } from "./version.ts";

export interface PolicyStore extends PolicySource {
  current(): Snapshot;
  /** Validated as a whole, stored, then in force; or nothing happens. Calls are done one after the other. */
  apply(change: Change, options?: ApplyOptions): Promise<ApplyResult>;
  /** A new version that says what an old one said; in everything else as apply(). */
  rollback(sequence: number, options?: ApplyOptions): Promise<ApplyResult>;
  /** The last hundred, newest first: the first is in force. */
  versions(): readonly Version[];
  /** Undefined for a version that is not kept. */
  version(sequence: number): Promise<VersionContent | undefined>;
}

export interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly author?: Author;
  readonly reason?: string;
  /** Nothing happens unless the version in force is one of these. */
  readonly ifVersions?: readonly number[] | undefined;
}

export interface VersionContent {
  readonly version: Version;
  readonly resources: readonly ListedResource[];
}

export interface Accepted {
  readonly ok: true;
  /** False: the set already said this, and the version stays. */
  readonly changed: boolean;
  /** In force when it was asked. */
  readonly before: Version;
  /** In force now; in a dry run, what would be. */
  readonly version: Version;
  readonly snapshot: Snapshot;
  readonly changes: readonly ResourceChange[];
  /** In a dry run only. */
  readonly differences: readonly Difference[];
  readonly warnings: readonly Problem[];
}

export interface Rejected {
  readonly ok: false;
  /**
   * `invalid`: the set would not be valid. `forbidden`: it is beyond `onlyTenant`. `conflict`: another process has written this store. `stale`: none of
   * `ifVersions` is in force. `unknown`: there is no such version to go back to. `unavailable`: the store cannot be reached.
   */
  readonly reason: "invalid" | "forbidden" | "conflict" | "stale" | "unknown" | "unavailable";
  /** In force when it was asked, and now. */
  readonly before: Version;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export type ApplyResult = Accepted | Rejected;
