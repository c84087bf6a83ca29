/**
 * A list of 32-bit words that grows: what every section of a compiled set is written into.
 */
export class WordList {
  #words = new Uint32Array(1024);
  length = 0;

  /** Appends a run and says where it starts. */
  push(...words: readonly number[]): number {
    return this.append(words);
  }

  append(words: ArrayLike<number>): number {
    const start = this.length;
    const needed = start + words.length;
    if (needed > this.#words.length) {
      const grown = new Uint32Array(Math.max(needed, this.#words.length * 2));
      grown.set(this.#words.subarray(0, start));
      this.#words = grown;
    }
    this.#words.set(words, start);
    this.length = needed;
    return start;
  }

  words(): Uint32Array {
    return this.#words.subarray(0, this.length);
  }
}

/** The smallest power of two that leaves an open-addressed table of so many entries at most half full. */
export function tableSize(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, entries * 2)));
}
