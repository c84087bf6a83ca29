/**
 * The strings and labels of a compiled set, each kept once, and the indexes from text to number.
 */
import { fnv1a, slotOf } from "../compiled/hash.ts";
import { INDEX_STRING, INDEX_VALUE, INDEX_WORDS } from "../compiled/layout.ts";
import { tableSize, WordList } from "./word-list.ts";

const encoder = new TextEncoder();

export class StringPool {
  readonly #numbers = new Map<string, number>();
  readonly #encoded: Uint8Array[] = [];

  intern(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#encoded.push(encoder.encode(text)) - 1;
    this.#numbers.set(text, number);
    return number;
  }

  get length(): number {
    return this.#encoded.length;
  }

  /** An INDEX_* table from texts to values. */
  index(entries: ReadonlyMap<string, number>): Uint32Array {
    const slots = tableSize(entries.size);
    const table = new Uint32Array(slots * INDEX_WORDS);
    for (const [text, value] of entries) {
      const string = this.intern(text);
      const octets = this.#encoded[string] ?? new Uint8Array();
      let slot = slotOf(0, fnv1a(octets, 0, octets.length), slots - 1);
      while (table[slot * INDEX_WORDS + INDEX_STRING] !== 0) slot = (slot + 1) & (slots - 1);
      table[slot * INDEX_WORDS + INDEX_STRING] = string + 1;
      table[slot * INDEX_WORDS + INDEX_VALUE] = value;
    }
    return table;
  }

  finish(): { readonly offsets: Uint32Array; readonly bytes: Uint8Array } {
    const offsets = new WordList();
    let length = 0;
    for (const octets of this.#encoded) {
      offsets.push(length);
      length += octets.length;
    }
    offsets.push(length);
    const bytes = new Uint8Array(length);
    for (const [number, octets] of this.#encoded.entries()) bytes.set(octets, offsets.words()[number] ?? 0);
    return { offsets: offsets.words(), bytes };
  }
}
