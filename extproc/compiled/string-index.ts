/**
 * Texts to numbers, in one open-addressed table over the strings of a snapshot.
 */
import { equalBytes, fnv1a, slotOf } from "./hash.ts";
import { INDEX_STRING, INDEX_VALUE, INDEX_WORDS, type Sections } from "./layout.ts";

const encoder = new TextEncoder();

/** Undefined for a text that is not in the table. */
export function findString(
  sections: Sections,
  index: "tenantIndex" | "serverNameIndex" | "pathIndex",
  text: string,
): number | undefined {
  const table = sections[index];
  const { stringOffsets, bytes } = sections;
  const wanted = encoder.encode(text);
  const mask = table.length / INDEX_WORDS - 1;
  for (let slot = slotOf(0, fnv1a(wanted, 0, wanted.length), mask); ; slot = (slot + 1) & mask) {
    const string = table[slot * INDEX_WORDS + INDEX_STRING] ?? 0;
    if (string === 0) return undefined;
    const start = stringOffsets[string - 1] ?? 0;
    const length = (stringOffsets[string] ?? 0) - start;
    if (length === wanted.length && equalBytes(bytes, start, wanted, 0, length)) {
      return table[slot * INDEX_WORDS + INDEX_VALUE];
    }
  }
}
