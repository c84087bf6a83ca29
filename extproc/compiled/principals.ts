/**
 * The patterns that a principal matches, the most specific first.
 */
import { fnv1a } from "./hash.ts";
import { NODE_EXACT, NODE_EXACT_COUNT, NODE_WORDS, type Sections } from "./layout.ts";
import { findChild } from "./trie.ts";

/** The edge that any one segment takes: no literal segment is empty. */
export const ANY_SEGMENT_HASH = 0;

const SCHEME = "spiffe://";
const encoder = new TextEncoder();

/**
 * Depth first, literals before wildcards: that is the order of specificity, by which at the first difference from
 * the left a literal goes before `*`.
 */
export function* matchPrincipal(sections: Sections, root: number, principal: string): Generator<number> {
  if (!principal.startsWith(SCHEME)) return;
  const segments = principal
    .slice(SCHEME.length)
    .split("/")
    .map((segment) => encoder.encode(segment));
  yield* descend(sections, root, segments, 0);
}

function* descend(sections: Sections, node: number, segments: readonly Uint8Array[], depth: number): Generator<number> {
  const segment = segments[depth];
  if (segment === undefined) {
    const start = sections.nodes[node * NODE_WORDS + NODE_EXACT] ?? 0;
    const count = sections.nodes[node * NODE_WORDS + NODE_EXACT_COUNT] ?? 0;
    yield* sections.lists.subarray(start, start + count);
    return;
  }
  if (segment.length === 0) return;
  const hash = fnv1a(segment, 0, segment.length);
  const literal = findChild(sections, node, hash, segment, 0, segment.length);
  if (literal !== 0) yield* descend(sections, literal, segments, depth + 1);
  const any = findChild(sections, node, ANY_SEGMENT_HASH, segment, 0, 0);
  if (any !== 0) yield* descend(sections, any, segments, depth + 1);
}
