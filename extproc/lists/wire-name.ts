/**
 * A name out of a list, as octets: read into one place again and again, for there may be millions.
 */
import { fnv1a } from "../compiled/hash.ts";
import { MAX_LABEL, MAX_NAME } from "../dns/names.ts";
import { NameSyntaxError, parseName } from "../resources/name-pattern.ts";

const DOT = 0x2e;
/** Octets of all labels and their lengths, without the root. */
const MAX_LABELS_LENGTH = MAX_NAME - 1;

/** Octets that stand for themselves, in lower case; 0 for all others, which parseName() has a word on. */
const PLAIN = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code);
  return /[A-Za-z0-9_/-]/.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});

export class WireName {
  /** Labels one after the other, leftmost first, without their lengths. */
  readonly octets = new Uint8Array(256);
  readonly starts = new Uint8Array(128);
  readonly lengths = new Uint8Array(128);
  labels = 0;

  /** What was expected, where the text is no name. */
  read(text: string): string | undefined {
    if (this.#readPlain(text)) return undefined;
    try {
      this.#take(parseName(text).canonical.labels);
      return undefined;
    } catch (error) {
      if (error instanceof NameSyntaxError) return error.message;
      throw error;
    }
  }

  /** In wire format (RFC 1035, section 3.1). */
  copy(): Uint8Array {
    const name: number[] = [];
    for (let label = 0; label < this.labels; label++) {
      const start = this.starts[label] ?? 0;
      const length = this.lengths[label] ?? 0;
      name.push(length, ...this.octets.subarray(start, start + length));
    }
    return Uint8Array.from([...name, 0]);
  }

  /** Of the label that is so far from the left. */
  hash(label: number): number {
    const start = this.starts[label] ?? 0;
    return fnv1a(this.octets, start, start + (this.lengths[label] ?? 0));
  }

  /** False for what is not plain: it may be a name, or none. */
  #readPlain(text: string): boolean {
    const end = text.charCodeAt(text.length - 1) === DOT ? text.length - 1 : text.length;
    if (end === 0 || end >= MAX_LABELS_LENGTH) return false;
    const { octets } = this;
    let labels = 0;
    let start = 0;
    let at = 0;
    for (let position = 0; position <= end; position++) {
      const code = position === end ? DOT : text.charCodeAt(position);
      if (code === DOT) {
        const length = at - start;
        if (length === 0 || length > MAX_LABEL) return false;
        this.starts[labels] = start;
        this.lengths[labels++] = length;
        start = at;
        continue;
      }
      const octet = PLAIN[code] ?? 0;
      if (octet === 0) return false;
      octets[at++] = octet;
    }
    this.labels = labels;
    return true;
  }

  #take(labels: readonly Uint8Array[]): void {
    let at = 0;
    for (const [index, label] of labels.entries()) {
      this.octets.set(label, at);
      this.starts[index] = at;
      this.lengths[index] = label.length;
      at += label.length;
    }
    this.labels = labels.length;
  }
}
