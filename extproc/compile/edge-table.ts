/**
 * The edges of tries while they are built: the same open-addressed table that the decision thread reads, growing as it
 * fills. Nodes are numbers; node 0 is a root, and nobody's child.
 */
import { equalBytes, slotOf } from "../compiled/hash.ts";
import {
  EDGE_CHILD,
  EDGE_HASH,
  EDGE_LABEL,
  EDGE_LABEL_LENGTH,
  EDGE_PARENT,
  EDGE_WORDS,
  MAX_EXCEPT,
  NODE_CHILD_HASHES,
  NODE_CHILDREN,
  NODE_WORDS,
} from "../compiled/layout.ts";
import type { WordList } from "./word-list.ts";

export interface SavedEdges {
  readonly nodes: number;
  readonly edges: Uint32Array;
  readonly edgeCount: number;
  readonly labels: Uint8Array;
}

export class EdgeTable {
  /** How many there are. */
  nodes = 0;
  #edges: Uint32Array = new Uint32Array(1024 * EDGE_WORDS);
  #edgeCount = 0;
  #labels: Uint8Array = new Uint8Array(1024);
  #labelsLength = 0;

  /** All of it, for load(). */
  save(): SavedEdges {
    return { nodes: this.nodes, edges: this.#edges, edgeCount: this.#edgeCount, labels: this.labels };
  }

  static load({ nodes, edges, edgeCount, labels }: SavedEdges): EdgeTable {
    const table = new EdgeTable();
    table.nodes = nodes;
    table.#edges = edges;
    table.#edgeCount = edgeCount;
    table.#labels = labels;
    table.#labelsLength = labels.length;
    return table;
  }

  addRoot(): number {
    return this.nodes++;
  }

  /** The child of a node by a label; made if it is not there. */
  child(parent: number, octets: Uint8Array, start: number, length: number, hash: number): number {
    // At most two thirds full.
    if (this.#edgeCount * 3 >= (this.#edges.length / EDGE_WORDS) * 2) this.#grow();
    const edges = this.#edges;
    const mask = edges.length / EDGE_WORDS - 1;
    for (let slot = slotOf(parent, hash, mask); ; slot = (slot + 1) & mask) {
      const edge = slot * EDGE_WORDS;
      const child = edges[edge + EDGE_CHILD] ?? 0;
      if (child === 0) return this.#add(edge, parent, hash, octets, start, length);
      if (
        edges[edge + EDGE_PARENT] === parent &&
        edges[edge + EDGE_HASH] === hash &&
        edges[edge + EDGE_LABEL_LENGTH] === length &&
        equalBytes(this.#labels, edges[edge + EDGE_LABEL] ?? 0, octets, start, length)
      ) {
        return child;
      }
    }
  }

  get labels(): Uint8Array {
    return this.#labels.subarray(0, this.#labelsLength);
  }

  /** As they are: to be copied, not kept. */
  get edges(): Uint32Array {
    return this.#edges;
  }

  /** A copy whose labels count from `labelBase`. */
  rebased(labelBase: number): Uint32Array {
    const edges = this.#edges.slice();
    for (let edge = 0; edge < edges.length; edge += EDGE_WORDS) {
      edges[edge + EDGE_LABEL] = (edges[edge + EDGE_LABEL] ?? 0) + labelBase;
    }
    return edges;
  }

  /** Counts the children of each node, and lists their hashes, in order, where a scope could name them all. */
  writeChildren(nodes: Uint32Array, lists: WordList): void {
    const edges = this.#edges;
    for (let edge = 0; edge < edges.length; edge += EDGE_WORDS) {
      if (edges[edge + EDGE_CHILD] === 0) continue;
      const count = (edges[edge + EDGE_PARENT] ?? 0) * NODE_WORDS + NODE_CHILDREN;
      nodes[count] = (nodes[count] ?? 0) + 1;
    }
    const start = lists.length;
    let length = 0;
    for (let node = 0; node < nodes.length; node += NODE_WORDS) {
      const count = nodes[node + NODE_CHILDREN] ?? 0;
      if (count === 0 || count > MAX_EXCEPT) continue;
      // For now, where the next hash goes.
      nodes[node + NODE_CHILD_HASHES] = length;
      length += count;
    }
    const hashes = new Uint32Array(length);
    for (let edge = 0; edge < edges.length; edge += EDGE_WORDS) {
      if (edges[edge + EDGE_CHILD] === 0) continue;
      const node = (edges[edge + EDGE_PARENT] ?? 0) * NODE_WORDS;
      if ((nodes[node + NODE_CHILDREN] ?? 0) > MAX_EXCEPT) continue;
      const at = nodes[node + NODE_CHILD_HASHES] ?? 0;
      hashes[at] = edges[edge + EDGE_HASH] ?? 0;
      nodes[node + NODE_CHILD_HASHES] = at + 1;
    }
    for (let node = 0; node < nodes.length; node += NODE_WORDS) {
      const count = nodes[node + NODE_CHILDREN] ?? 0;
      if (count === 0 || count > MAX_EXCEPT) continue;
      const end = nodes[node + NODE_CHILD_HASHES] ?? 0;
      if (count > 1) hashes.subarray(end - count, end).sort();
      nodes[node + NODE_CHILD_HASHES] = start + end - count;
    }
    lists.append(hashes);
  }

  #add(edge: number, parent: number, hash: number, octets: Uint8Array, start: number, length: number): number {
    const child = this.nodes++;
    this.#edges[edge + EDGE_CHILD] = child;
    this.#edges[edge + EDGE_PARENT] = parent;
    this.#edges[edge + EDGE_HASH] = hash;
    this.#edges[edge + EDGE_LABEL] = this.#keep(octets, start, length);
    this.#edges[edge + EDGE_LABEL_LENGTH] = length;
    this.#edgeCount++;
    return child;
  }

  #keep(octets: Uint8Array, start: number, length: number): number {
    const offset = this.#labelsLength;
    if (offset + length > this.#labels.length) {
      const grown = new Uint8Array(Math.max(1024, offset + length, this.#labels.length * 2));
      grown.set(this.#labels);
      this.#labels = grown;
    }
    for (let index = 0; index < length; index++) this.#labels[offset + index] = octets[start + index] ?? 0;
    this.#labelsLength += length;
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
      const to = slot * EDGE_WORDS;
      for (let word = 0; word < EDGE_WORDS; word++) edges[to + word] = old[from + word] ?? 0;
    }
    this.#edges = edges;
  }
}
