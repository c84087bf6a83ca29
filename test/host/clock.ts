/**
 * Time and chance under the test's control: a wall clock, a monotonic clock that never goes back, and seeded random
 * octets.
 */

/** 2026-01-01T00:00:00Z: any fixed moment will do. */
const START_MS = Date.UTC(2026, 0, 1);

export class VirtualClock {
  /** Milliseconds since the host was made. */
  elapsedMs = 0;
  /** Moves the wall clock alone, as an administrator or NTP does. */
  wallShiftMs = 0;

  get wallNanoseconds(): bigint {
    return BigInt(Math.round((START_MS + this.wallShiftMs + this.elapsedMs) * 1000)) * 1000n;
  }

  /** Starts at one hour: a monotonic clock's zero means nothing. */
  get monotonicNanoseconds(): bigint {
    return BigInt(Math.round((3_600_000 + this.elapsedMs) * 1000)) * 1000n;
  }
}

/** A small generator of random numbers (mulberry32): equal seeds give equal octets. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to 1, without 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** 0 to limit, without limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.below(256));
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}
