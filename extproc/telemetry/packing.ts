/**
 * Whole numbers and texts in few octets, for what is kept long and seldom read. The octets are in a string, of a character
 * each: of all that V8 has, it alone puts some hundred octets where its other objects are, without 200 more to look after
 * them.
 */

/** A number of 53 bits, seven an octet, as protobuf has them. */
const MAX_NUMBER_OCTETS = 8;
const FIRST_LENGTH = 1024;

export class Packer {
  #octets = Buffer.allocUnsafe(FIRST_LENGTH);
  #end = 0;

  /** Whole, and not negative. */
  number(value: number): void {
    this.#reserve(MAX_NUMBER_OCTETS);
    let rest = value;
    while (rest > 0x7f) {
      this.#octets[this.#end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#octets[this.#end++] = rest;
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.number(length);
    this.#reserve(length);
    this.#end += this.#octets.write(value, this.#end);
  }

  finish(): string {
    return this.#octets.toString("latin1", 0, this.#end);
  }

  #reserve(length: number): void {
    const needed = this.#end + length;
    if (needed <= this.#octets.length) return;
    const larger = Buffer.allocUnsafe(2 * needed);
    this.#octets.copy(larger, 0, 0, this.#end);
    this.#octets = larger;
  }
}

/** Reads what a Packer has put there, in the same order. */
export class Unpacker {
  readonly #octets: Buffer;
  #at = 0;

  constructor(packed: string) {
    this.#octets = Buffer.from(packed, "latin1");
  }

  number(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const octet = this.#octets[this.#at++] ?? 0;
      if (octet < 0x80) return value + octet * unit;
      value += (octet - 0x80) * unit;
    }
  }

  text(): string {
    const length = this.number();
    this.#at += length;
    return this.#octets.toString("utf8", this.#at - length, this.#at);
  }
}
