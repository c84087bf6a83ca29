/**
 * Where a store keeps its versions: a directory that one process writes, or etcd, which several share.
 */
import type { State } from "./state-file.ts";
import type { Version } from "./version.ts";

export const KEPT_VERSIONS = 100;

export interface VersionStorage {
  /** For people. */
  readonly name: string;
  /** Newest first: the first is in force. */
  readonly versions: readonly Version[];
  /** Undefined for a version that is not kept. */
  read(sequence: number): Promise<State | undefined>;
  /**
   * `next` in the place of `present`, for good when this is resolved with undefined; a new version where its number is another.
   * Otherwise nothing has changed, and this says why: something else is there.
   */
  replace(present: State, next: State): Promise<string | undefined>;
  /** Why newer versions may be missing; empty where they are not. */
  readonly trouble: string;
  /** Where others write, too. */
  readonly shared?: SharedVersions;
  close(): Promise<void>;
}

export interface SharedVersions {
  /**
   * What is in force there now, where that is not what this has told, or written, last: `versions` go by it from then on.
   * Rejects where it cannot be known.
   */
  news(): Promise<State | undefined>;
  /** Calls when another may have written. */
  onChange(task: () => void): void;
}
