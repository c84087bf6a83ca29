/**
 * A version: what a policy set said from one change to the next, with who made it and why. Never changed.
 */

/** Who made a version, and how that is known. */
export interface Author {
  readonly name: string;
  /** `claim`: the caller's own word, by a way that only the owner of the service has. `service`: nobody asked. */
  readonly by: "token" | "certificate" | "claim" | "service";
}

export interface VersionRecord {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly author: Author;
  readonly reason: string;
  /** Of a rollback: the version that it says again. */
  readonly restores?: number;
  /** How many resources the change spoke of that it changed; absent where that is not known. */
  readonly counts?: { readonly created: number; readonly updated: number; readonly deleted: number };
}

export interface Version extends VersionRecord {
  /** The number of the revision that workers acknowledge. */
  readonly sequence: number;
  /** 16 hex digits; equal for sets that say the same. */
  readonly hash: string;
}
