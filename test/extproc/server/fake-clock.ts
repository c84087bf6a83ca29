/**
 * A clock that only moves when a test moves it.
 */
import type { Clock } from "../../../extproc/server/clock.ts";

interface Timer {
  at: number;
  readonly every: number | undefined;
  readonly task: () => void;
}

export class FakeClock implements Clock {
  #time = 0;
  readonly #timers = new Set<Timer>();

  /** The epoch, and what has passed. */
  now(): number {
    return 1_700_000_000_000 + this.#time;
  }

  elapsed(): number {
    return this.#time;
  }

  after(milliseconds: number, task: () => void): () => void {
    return this.#add({ at: this.#time + milliseconds, every: undefined, task });
  }

  every(milliseconds: number, task: () => void): () => void {
    return this.#add({ at: this.#time + milliseconds, every: milliseconds, task });
  }

  /** Whether somebody waits for this moment or an earlier one. */
  isDue(milliseconds: number): boolean {
    return [...this.#timers].some(({ at, every }) => every === undefined && at <= this.#time + milliseconds);
  }

  /** Runs what is due, in order. */
  advance(milliseconds: number): void {
    const end = this.#time + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#time = next.at;
      if (next.every === undefined) this.#timers.delete(next);
      else next.at += next.every;
      next.task();
    }
    this.#time = end;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
