/**
 * The names of a NameList, as the decision thread reads them: one trie in shared memory, made apart from policies, so
 * that neither is made anew for the other's sake.
 */
import { NODE_BELOW, NODE_BELOW_COUNT, NODE_EXACT, NODE_EXACT_COUNT, NODE_WORDS, type TrieSections } from "./layout.ts";
import type { Question } from "./question.ts";
import type { ScopeBuilder } from "./scope.ts";
import { NamePath } from "./trie.ts";

/** Words of a node here: how many entries list the names below it, or except them; and the same of the name itself. */
export const LISTED_BELOW = NODE_BELOW;
export const EXCEPTED_BELOW = NODE_BELOW_COUNT;
export const LISTED_EXACTLY = NODE_EXACT;
export const EXCEPTED_EXACTLY = NODE_EXACT_COUNT;

/** Views of shared memory: to post one to a thread copies nothing. */
export interface NameTable extends TrieSections {
  /** Entries that list names, and that except some of them. */
  readonly names: number;
  readonly exceptions: number;
  /** Of a list that is followed: a number of what is in it now. */
  readonly version?: number;
  readonly change?: TableChange;
}

/** Of more names nobody is told (ListsChanged of protos/sync.proto). */
export const MAX_CHANGED = 256;

/** What is in a list now and was not before, or the other way round. */
export interface TableChange {
  readonly since: number;
  /** In wire format, lower case: that an entry speaks of, or of those below. */
  readonly names: readonly Uint8Array[];
}

/** By the names of the lists; one that is not there was never read. */
export type NamedTables = ReadonlyMap<string, NameTable>;

/** Walks are synchronous: one scratch path serves them all. */
const path = new NamePath();

/**
 * Labels of the base of the entry that lists the name: of one name, those of its parent. Undefined where the list has
 * no word on it, or excepts it: the name itself goes before those below another, and of those the longest counts.
 */
export function findListed(table: NameTable, question: Question, scope: ScopeBuilder): number | undefined {
  const { nodes } = table;
  path.walk(table, 0, question);
  scope.narrow(table, question, path);
  if (path.depth === question.labels) {
    const node = (path.nodes[path.depth] ?? 0) * NODE_WORDS;
    if ((nodes[node + EXCEPTED_EXACTLY] ?? 0) > 0) return undefined;
    if ((nodes[node + LISTED_EXACTLY] ?? 0) > 0) return Math.max(0, path.depth - 1);
  }
  for (let depth = Math.min(path.depth, question.labels - 1); depth >= 0; depth--) {
    const node = (path.nodes[depth] ?? 0) * NODE_WORDS;
    if ((nodes[node + EXCEPTED_BELOW] ?? 0) > 0) return undefined;
    if ((nodes[node + LISTED_BELOW] ?? 0) > 0) return depth;
  }
  return undefined;
}
