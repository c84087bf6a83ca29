// Queries whose answer a rule puts off: a wheel with a slot for each tick.

import { WaitList } from "../cache/wait-list";
import { DELAY_SIZE, delaysAt, Verdict } from "../verdict/verdict";
import { comesUp } from "./chance";
import { Query } from "./query";

/** Microseconds of a slot, and slots: more than the longest delays that a verdict may have come to. */
const SLOT: u64 = 50_000;
const SLOTS: u32 = 1024;

@final
export class Delays {
  private readonly slots: StaticArray<WaitList> = new StaticArray<WaitList>(SLOTS);
  /** The slot that was emptied last, counted from time 0. */
  private done: u64 = 0;
  private count: u32 = 0;

  constructor() {
    for (let i: u32 = 0; i < SLOTS; i++) this.slots[i] = new WaitList();
  }

  /** Microseconds by which the verdict puts this query off. */
  draw(verdict: Verdict): u64 {
    let milliseconds: u32 = 0;
    let at = delaysAt(verdict);
    for (let i: u32 = 0; i < verdict.delayCount; i++) {
      const chance = <u32>load<u16>(at);
      if (chance == 0 || comesUp(chance)) milliseconds += <u32>load<u16>(at, 2);
      at += DELAY_SIZE;
    }
    return <u64>milliseconds * 1000;
  }

  push(query: Query, now: u64, delay: u64): void {
    if (this.count == 0) this.done = now / SLOT;
    // In the next slot at the earliest, and not on the way round again.
    const slot = max((now + delay + SLOT - 1) / SLOT, this.done + 1);
    unchecked(this.slots[<u32>(min(slot, this.done + SLOTS - 1) % SLOTS)]).push(query);
    this.count++;
  }

  /** A query whose time has come, or null. */
  next(now: u64): Query | null {
    const until = now / SLOT;
    while (this.count != 0 && this.done <= until) {
      const waiter = unchecked(this.slots[<u32>(this.done % SLOTS)]).shift();
      if (waiter !== null) {
        this.count--;
        return changetype<Query>(waiter);
      }
      if (this.done == until) return null;
      this.done++;
    }
    return null;
  }
}
