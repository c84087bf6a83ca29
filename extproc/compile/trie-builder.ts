/**
 * Builds the arena of tries: the same open-addressed edges that the decision thread reads, growing as they fill.
 */
import { equalBytes, fnv1a, slotOf } from "../compiled/hash.ts";
import {
  EDGE_CHILD,
  EDGE_HASH,
  EDGE_LABEL,
  EDGE_LABEL_LENGTH,
  EDGE_PARENT,
  EDGE_WORDS,
  MAX_EXCEPT,
  NODE_BELOW,
  NODE_BELOW_COUNT,
  NODE_CHILD_HASHES,
  NODE_CHILDREN,
  NODE_EXACT,
  NODE_EXACT_COUNT,
  NODE_WORDS,
} from "../compiled/layout.ts";
import { ANY_SEGMENT_HASH } from "../compiled/principals.ts";
import type { WordList } from "./word-list.ts";

/** The edge that takes any one segment of a principal. */
export const ANY_SEGMENT = new Uint8Array(0);

export class TrieBuilder {
  #nodes = 0;
  #edges = new Uint32Array(1024 * EDGE_WORDS);
  #edgeCount = 0;
  #labels = new Uint8Array(1024);
  #labelsLength = 0;
  readonly #labelOffsets = new Map<string, number>();
  readonly #below = new Map<number, number[]>();
  readonly #exact = new Map<number, number[]>();

  addRoot(): number {
    return this.#nodes++;
  }

  /** The node below `root` by these labels, the nearest first; made if it is not there. */
  node(root: number, labels: readonly Uint8Array[]): number {
    let node = root;
    for (const label of labels) node = this.#child(node, label);
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
    const nodes = new Uint32Array(this.#nodes * NODE_WORDS);
    for (const [table, start, count] of [
      [this.#below, NODE_BELOW, NODE_BELOW_COUNT],
      [this.#exact, NODE_EXACT, NODE_EXACT_COUNT],
    ] as const) {
      for (const [node, numbers] of table) {
        nodes[node * NODE_WORDS + start] = lists.append(numbers);
        nodes[node * NODE_WORDS + count] = numbers.length;
      }
    }
    this.#writeChildren(nodes, lists);
    const edges = this.#edges.slice();
    for (let edge = 0; edge < edges.length; edge += EDGE_WORDS) {
      edges[edge + EDGE_LABEL] = (edges[edge + EDGE_LABEL] ?? 0) + labelBase;
    }
    return { nodes, edges, labels: this.#labels.subarray(0, this.#labelsLength) };
  }

  /** Counts the children of each node, and lists their hashes where a scope could name them all. */
  #writeChildren(nodes: Uint32Array, lists: WordList): void {
    const children = new Map<number, number[]>();
    for (let edge = 0; edge < this.#edges.length; edge += EDGE_WORDS) {
      if (this.#edges[edge + EDGE_CHILD] !== 0) {
        append(children, this.#edges[edge + EDGE_PARENT] ?? 0, this.#edges[edge + EDGE_HASH] ?? 0);
      }
    }
    for (const [node, hashes] of children) {
      nodes[node * NODE_WORDS + NODE_CHILDREN] = hashes.length;
      if (hashes.length <= MAX_EXCEPT) {
        nodes[node * NODE_WORDS + NODE_CHILD_HASHES] = lists.append(hashes.sort((a, b) => a - b));
      }
    }
  }

  #child(parent: number, label: Uint8Array): number {
    const hash = label === ANY_SEGMENT ? ANY_SEGMENT_HASH : fnv1a(label, 0, label.length);
    if (this.#edgeCount * 2 >= this.#edges.length / EDGE_WORDS) this.#grow();
    const mask = this.#edges.length / EDGE_WORDS - 1;
    for (let slot = slotOf(parent, hash, mask); ; slot = (slot + 1) & mask) {
      const edge = slot * EDGE_WORDS;
      const child = this.#edges[edge + EDGE_CHILD] ?? 0;
      if (child === 0) return this.#addEdge(edge, parent, hash, label);
      if (
        this.#edges[edge + EDGE_PARENT] === parent &&
        this.#edges[edge + EDGE_HASH] === hash &&
        this.#edges[edge + EDGE_LABEL_LENGTH] === label.length &&
        equalBytes(this.#labels, this.#edges[edge + EDGE_LABEL] ?? 0, label, 0, label.length)
      ) {
        return child;
      }
    }
  }

  #addEdge(edge: number, parent: number, hash: number, label: Uint8Array): number {
    const child = this.#nodes++;
    this.#edges[edge + EDGE_CHILD] = child;
    this.#edges[edge + EDGE_PARENT] = parent;
    this.#edges[edge + EDGE_HASH] = hash;
    this.#edges[edge + EDGE_LABEL] = this.#internLabel(label);
    this.#edges[edge + EDGE_LABEL_LENGTH] = label.length;
    this.#edgeCount++;
    return child;
  }

  #internLabel(label: Uint8Array): number {
    const key = Buffer.from(label.buffer, label.byteOffset, label.length).toString("latin1");
    const known = this.#labelOffsets.get(key);
    if (known !== undefined) return known;
    const offset = this.#labelsLength;
    if (offset + label.length > this.#labels.length) {
      const grown = new Uint8Array(Math.max(offset + label.length, this.#labels.length * 2));
      grown.set(this.#labels);
      this.#labels = grown;
    }
    this.#labels.set(label, offset);
    this.#labelsLength += label.length;
    this.#labelOffsets.set(key, offset);
    return offset;
  }

  #grow(): void {
    const old = this.#edges;
    const edges = new Uint32Array(old.length * 2);
    const mask = edges.length / EDGE_WORDS - 1;
    for (let from = 0; from < old.length; from += EDGE_WORDS) {
      if (old[from + EDGE_CHILD] === 0) continue;
      let slot = slotOf(old[from + EDGE_PARENT] ?? 0, old[from + EDGE_HASH] ?? 0, mask);
      while (edges[slot * EDGE_WORDS + EDGE_CHILD] !== 0) slot = (slot + 1) & mask;
      edges.set(old.subarray(from, from + EDGE_WORDS), slot * EDGE_WORDS);
    }
    this.#edges = edges;
  }
}

/** Once each: a rule whose patterns name one node twice is still one rule. */
function append(table: Map<number, number[]>, key: number, number: number): void {
  const numbers = table.get(key);
  if (numbers === undefined) table.set(key, [number]);
  else if (numbers.at(-1) !== number) numbers.push(number);
}
