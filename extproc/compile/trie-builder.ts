/**
 * Builds the arena of tries of a policy set: edges by label, and at each node the numbers that hold for its name and
 * for those below it.
 */
import { fnv1a } from "../compiled/hash.ts";
import { NODE_BELOW, NODE_BELOW_COUNT, NODE_EXACT, NODE_EXACT_COUNT, NODE_WORDS } from "../compiled/layout.ts";
import { ANY_SEGMENT_HASH } from "../compiled/principals.ts";
import { EdgeTable } from "./edge-table.ts";
import type { WordList } from "./word-list.ts";

/** The edge that takes any one segment of a principal. */
export const ANY_SEGMENT = new Uint8Array(0);

export class TrieBuilder {
  readonly #edges = new EdgeTable();
  readonly #below = new Map<number, number[]>();
  readonly #exact = new Map<number, number[]>();

  addRoot(): number {
    return this.#edges.addRoot();
  }

  /** The node below `root` by these labels, the nearest first; made if it is not there. */
  node(root: number, labels: readonly Uint8Array[]): number {
    let node = root;
    for (const label of labels) {
      const hash = label === ANY_SEGMENT ? ANY_SEGMENT_HASH : fnv1a(label, 0, label.length);
      node = this.#edges.child(node, label, 0, label.length, hash);
    }
    return node;
  }

  /** Numbers are added in ascending order. */
  addBelow(node: number, number: number): void {
    append(this.#below, node, number);
  }

  addExact(node: number, number: number): void {
    append(this.#exact, node, number);
  }

  /** Writes the runs of numbers into `lists`; labels count from `labelBase`. */
  finish(
    lists: WordList,
    labelBase: number,
  ): { readonly nodes: Uint32Array; readonly edges: Uint32Array; readonly labels: Uint8Array } {
    const nodes = new Uint32Array(this.#edges.nodes * NODE_WORDS);
    for (const [table, start, count] of [
      [this.#below, NODE_BELOW, NODE_BELOW_COUNT],
      [this.#exact, NODE_EXACT, NODE_EXACT_COUNT],
    ] as const) {
      for (const [node, numbers] of table) {
        nodes[node * NODE_WORDS + start] = lists.append(numbers);
        nodes[node * NODE_WORDS + count] = numbers.length;
      }
    }
    this.#edges.writeChildren(nodes, lists);
    return { nodes, edges: this.#edges.rebased(labelBase), labels: this.#edges.labels };
  }
}

/** Once each: a rule whose patterns name one node twice is still one rule. */
function append(table: Map<number, number[]>, key: number, number: number): void {
  const numbers = table.get(key);
  if (numbers === undefined) table.set(key, [number]);
  else if (numbers.at(-1) !== number) numbers.push(number);
}
