/**
 * Where the policy in force comes from: a store that this process writes, or a directory that somebody else does.
 */
import type { Change, Refused } from "../compile/change.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import type { Finding } from "../lint/finding.ts";
import type { ListedResource } from "../resources/document-start.ts";
import type { Problem } from "../resources/problem.ts";
import type { VersionRecord } from "./version.ts";

/** With the record of the version in force, where this process keeps one. */
export interface SourceStatus extends Partial<VersionRecord> {
  readonly mode: "store" | "watch";
  readonly directory: string;
  /** Of the policy in force; 0 and empty while there is none. */
  readonly sequence: number;
  readonly hash: string;
  readonly warnings: readonly Problem[];
  /** Why newer content is not in force; empty when nothing is held back. */
  readonly problems: readonly Problem[];
}

/** A set that nobody has asked for yet: its number is 0. */
export interface Imagined {
  readonly ok: true;
  readonly snapshot: Snapshot;
  readonly text: Uint8Array;
}

export type StoredResource = ListedResource;

export interface PolicySource {
  /** The policy in force; undefined only in watch mode, before the first valid content. */
  current(): Snapshot | undefined;
  status(): SourceStatus;
  /** Called after a new policy came into force. Returns how to stop. */
  onChange(listener: (snapshot: Snapshot) => void): () => void;
  /** The resources in force, as they were written, ordered by kind and name. */
  resources(): readonly StoredResource[];
  /** Every rule that speaks of the request's tenant: of what is in force, or of another whole set. */
  consider(request: TenantRequest, lists: NamedTables, text?: Uint8Array): Promise<readonly ConsideredRule[]>;
  /** What deserves a second look in what is in force. */
  lint(): Promise<readonly Finding[]>;
  /** What the set would be after a change; nothing comes of it. */
  imagine(change: Change): Promise<Imagined | Refused>;
  close(): Promise<void>;
}
