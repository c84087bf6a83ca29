/**
 * Where the names of lists come from, as a policy source sees it.
 */
import type { ListReference } from "../compiled/list-reference.ts";
import type { NamedTables } from "../compiled/name-table.ts";

export interface ReadTables {
  readonly tables: NamedTables;
  /** Equal where the names are. */
  readonly digest: string;
}

export interface ListSource {
  /** Resolved when each of these was read, or could not be: then it is as it last was, or has no name. */
  prepare(references: readonly ListReference[]): Promise<ReadTables>;
  /** These are followed from now on, and no others. */
  follow(references: readonly ListReference[]): void;
  /** What has been read of these. */
  read(references: readonly ListReference[]): ReadTables;
  /** Called when a list that is followed has other names. Returns how to stop. */
  onChange(listener: () => void): () => void;
}

/** For sets whose lists nobody reads. */
export const NO_LISTS: ListSource = {
  prepare: async () => NOTHING_READ,
  follow: () => {},
  read: () => NOTHING_READ,
  onChange: () => () => {},
};

const NOTHING_READ: ReadTables = { tables: new Map(), digest: "" };
