/**
 * Walking the tries of a snapshot: names from the root down, principals from the trust domain on.
 *
 * All tries share one arena; an edge is found by (parent, label) in one open-addressed table.
 */
import { equalBytes, slotOf } from "./hash.ts";
import {
  EDGE_CHILD,
  EDGE_HASH,
  EDGE_LABEL,
  EDGE_LABEL_LENGTH,
  EDGE_PARENT,
  EDGE_WORDS,
  type TrieSections,
} from "./layout.ts";
import type { Question } from "./question.ts";

/** The child by a label; 0 where there is none, for node 0 is nobody's child. */
export function findChild(
  sections: TrieSections,
  parent: number,
  hash: number,
  octets: Uint8Array,
  start: number,
  length: number,
): number {
  const { edges, bytes } = sections;
  const mask = edges.length / EDGE_WORDS - 1;
  for (let slot = slotOf(parent, hash, mask); ; slot = (slot + 1) & mask) {
    const edge = slot * EDGE_WORDS;
    const child = edges[edge + EDGE_CHILD] ?? 0;
    if (child === 0) return 0;
    if (
      edges[edge + EDGE_PARENT] === parent &&
      edges[edge + EDGE_HASH] === hash &&
      edges[edge + EDGE_LABEL_LENGTH] === length &&
      equalBytes(bytes, edges[edge + EDGE_LABEL] ?? 0, octets, start, length)
    ) {
      return child;
    }
  }
}

/** The nodes that exist along a name: `path[i]` is that of its last i labels. */
export class NamePath {
  /** A name has at most 127 labels (RFC 1035 section 3.1), and the root. */
  readonly nodes = new Uint32Array(128);
  /** Labels of the last node on the path. */
  depth = 0;

  walk(sections: TrieSections, root: number, question: Question): void {
    const { nodes } = this;
    nodes[0] = root;
    let depth = 0;
    for (let node = root; depth < question.labels; depth++) {
      node = findChild(
        sections,
        node,
        question.hashes[depth] ?? 0,
        question.octets,
        question.starts[depth] ?? 0,
        question.lengths[depth] ?? 0,
      );
      if (node === 0) break;
      nodes[depth + 1] = node;
    }
    this.depth = depth;
  }
}
