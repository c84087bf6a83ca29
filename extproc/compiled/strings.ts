/**
 * Strings of a snapshot by number, decoded when first asked for: a swap makes none of them.
 */
import type { Sections } from "./layout.ts";

const decoder = new TextDecoder();

export class StringTable {
  readonly #sections: Sections;
  readonly #decoded: string[] = [];

  constructor(sections: Sections) {
    this.#sections = sections;
  }

  get(index: number): string {
    const known = this.#decoded[index];
    if (known !== undefined) return known;
    const { stringOffsets, bytes } = this.#sections;
    // TextDecoder refuses views of shared memory, so the octets are copied out once.
    const text = decoder.decode(bytes.slice(stringOffsets[index], stringOffsets[index + 1]));
    this.#decoded[index] = text;
    return text;
  }
}
