// Names that were asked for of late, by their hashes: what tells a name that is new from one that is asked again. A table of
// fixed size that forgets the longest unseen of a row; a name that had to go is new again.

import { mix } from "../wire/name";

const ROWS: u64 = 16_384;
const WAYS: i32 = 4;
/** A slot has the hash, and in its last bits the second in which the name was seen. */
const SECONDS: u64 = 0xffff;
const SECOND: u64 = 1_000_000;

@final
export class RecentNames {
  /** Made when it is first needed: half a megabyte. */
  private slots: StaticArray<u64> | null = null;
  private row: i32 = 0;
  private hash: u64 = 0;
  private second: u64 = 0;

  /** `recent`: for so many seconds after the one in which it was seen, a name is known. */
  constructor(private readonly recent: u64) {}

  /** Whether the name was seen of late by the meter of this number. A name that was is seen now. */
  has(meter: u64, name: u64, now: u64): bool {
    let slots = this.slots;
    if (slots === null) {
      slots = new StaticArray<u64>(<i32>ROWS * WAYS);
      this.slots = slots;
    }
    const hash = mix(meter, name);
    this.hash = hash & ~SECONDS;
    this.row = <i32>((hash >> 32) % ROWS) * WAYS;
    this.second = (now / SECOND) & SECONDS;
    for (let i = this.row; i < this.row + WAYS; i++) {
      const slot = unchecked(slots[i]);
      if ((slot & ~SECONDS) != this.hash || this.ageOf(slot) > this.recent) continue;
      unchecked((slots[i] = this.hash | this.second));
      return true;
    }
    return false;
  }

  /** The name that `has` was asked for last is seen now. */
  add(): void {
    const slots = this.slots;
    if (slots === null) return;
    let oldest = this.row;
    for (let i = this.row + 1; i < this.row + WAYS; i++) {
      if (this.ageOf(unchecked(slots[i])) > this.ageOf(unchecked(slots[oldest]))) oldest = i;
    }
    unchecked((slots[oldest] = this.hash | this.second));
  }

  private ageOf(slot: u64): u64 {
    return (this.second - slot) & SECONDS;
  }
}
