/**
 * In which names two tables of a list are other: what a file that was read anew has changed, so that workers forget no more than that.
 */
import { equalBytes } from "../compiled/hash.ts";
import {
  EDGE_CHILD,
  EDGE_HASH,
  EDGE_LABEL,
  EDGE_LABEL_LENGTH,
  EDGE_PARENT,
  EDGE_WORDS,
  NODE_WORDS,
} from "../compiled/layout.ts";
import {
  EXCEPTED_BELOW,
  EXCEPTED_EXACTLY,
  LISTED_BELOW,
  LISTED_EXACTLY,
  MAX_CHANGED,
  type NameTable,
} from "../compiled/name-table.ts";
import { findChild } from "../compiled/trie.ts";
import { wireName } from "../dns/names.ts";

/** In the place of a node that the other table does not have: the root is nobody's child. */
const MISSING = -1;

/** In wire format; undefined where there are more than anybody is told of. */
export function changedNames(before: NameTable, after: NameTable): readonly Uint8Array[] | undefined {
  const [old, now] = [new Nodes(before), new Nodes(after)];
  const names: Uint8Array[] = [];
  const counterparts = new Int32Array(now.count).fill(MISSING);
  const met = new Uint8Array(old.count);
  // A node's number is greater than its parent's. What stands in the same order has the same numbers, or later ones.
  let guess = 0;
  for (let node = 0; node < now.count; node++) {
    const other = node === 0 ? 0 : now.findIn(old, node, counterparts[now.parent(node)] ?? MISSING, guess);
    counterparts[node] = other;
    if (other !== MISSING) guess = other + 1;
    if (other !== MISSING) met[other] = 1;
    if (now.says(node) === (other === MISSING ? 0 : old.says(other))) continue;
    if (names.push(now.name(node)) > MAX_CHANGED) return undefined;
  }
  for (let node = 0; node < old.count; node++) {
    if (met[node] === 1 || old.says(node) === 0) continue;
    if (names.push(old.name(node)) > MAX_CHANGED) return undefined;
  }
  return names;
}

/** A table by its nodes: each has one edge that leads to it, but for the root. */
class Nodes {
  readonly count: number;
  readonly #table: NameTable;
  readonly #edges: Uint32Array;

  constructor(table: NameTable) {
    this.#table = table;
    this.count = table.nodes.length / NODE_WORDS;
    this.#edges = new Uint32Array(this.count);
    for (let edge = 0; edge < table.edges.length; edge += EDGE_WORDS) {
      const child = table.edges[edge + EDGE_CHILD] ?? 0;
      if (child !== 0) this.#edges[child] = edge;
    }
  }

  parent(node: number): number {
    return this.#word(node, EDGE_PARENT);
  }

  /** The child of another table's node by this node's label, which may be the one that is guessed. */
  findIn(other: Nodes, node: number, parent: number, guess: number): number {
    if (parent === MISSING) return MISSING;
    const { bytes } = this.#table;
    const hash = this.#word(node, EDGE_HASH);
    const start = this.#word(node, EDGE_LABEL);
    const length = this.#word(node, EDGE_LABEL_LENGTH);
    const isRight =
      guess < other.count &&
      other.parent(guess) === parent &&
      other.#word(guess, EDGE_LABEL_LENGTH) === length &&
      equalBytes(other.#table.bytes, other.#word(guess, EDGE_LABEL), bytes, start, length);
    if (isRight) return guess;
    const child = findChild(other.#table, parent, hash, bytes, start, length);
    return child === 0 ? MISSING : child;
  }

  /** Whether it is listed or excepted, and those below it: how many entries say so does not matter. */
  says(node: number): number {
    const { nodes } = this.#table;
    const at = node * NODE_WORDS;
    let said = (nodes[at + LISTED_EXACTLY] ?? 0) > 0 ? 1 : 0;
    if ((nodes[at + EXCEPTED_EXACTLY] ?? 0) > 0) said |= 2;
    if ((nodes[at + LISTED_BELOW] ?? 0) > 0) said |= 4;
    if ((nodes[at + EXCEPTED_BELOW] ?? 0) > 0) said |= 8;
    return said;
  }

  name(node: number): Uint8Array {
    const labels: Uint8Array[] = [];
    for (let at = node; at !== 0; at = this.parent(at)) {
      const start = this.#word(at, EDGE_LABEL);
      labels.push(this.#table.bytes.subarray(start, start + this.#word(at, EDGE_LABEL_LENGTH)));
    }
    return wireName(labels);
  }

  #word(node: number, word: number): number {
    return this.#table.edges[(this.#edges[node] ?? 0) + word] ?? 0;
  }
}
