/**
 * The most frequent of many keys, in bounded memory: space saving (Metwally and others, 2005), with the least frequent half
 * thrown out at once when there are twice as many as are kept. A key that comes back counts for as much as one that was
 * thrown out may have had: so no count is too low, and each says how much too high it may be.
 */
import type { Packer, Unpacker } from "./packing.ts";

export interface Frequency {
  count: number;
  /** How much too high `count` may be. */
  over: number;
  /** Of them, how often it was denied. */
  denied: number;
}

export class TopList {
  readonly #capacity: number;
  readonly #entries = new Map<string, Frequency>();
  /** No key that is not here was there more often. */
  #floor = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(key: string, denied: boolean): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#entries.set(key, { count: this.#floor + 1, over: this.#floor, denied: denied ? 1 : 0 });
      if (this.#entries.size > 2 * this.#capacity) this.#trim();
      return;
    }
    entry.count++;
    if (denied) entry.denied++;
  }

  merge(other: TopList): void {
    this.#merge(other.#entries, other.#floor);
  }

  pack(to: Packer): void {
    to.number(this.#floor);
    to.number(this.#entries.size);
    for (const [key, { count, over, denied }] of this.#entries) {
      to.text(key);
      to.number(count);
      to.number(over);
      to.number(denied);
    }
  }

  mergePacked(from: Unpacker): void {
    const floor = from.number();
    const entries = new Map<string, Frequency>();
    for (let left = from.number(); left > 0; left--) {
      entries.set(from.text(), { count: from.number(), over: from.number(), denied: from.number() });
    }
    this.#merge(entries, floor);
  }

  #merge(others: ReadonlyMap<string, Frequency>, floor: number): void {
    for (const [key, entry] of this.#entries) {
      if (others.has(key)) continue;
      entry.count += floor;
      entry.over += floor;
    }
    for (const [key, { count, over, denied }] of others) {
      const entry = this.#entries.get(key);
      if (entry === undefined) {
        this.#entries.set(key, { count: this.#floor + count, over: this.#floor + over, denied });
        continue;
      }
      entry.count += count;
      entry.over += over;
      entry.denied += denied;
    }
    this.#floor += floor;
    if (this.#entries.size > 2 * this.#capacity) this.#trim();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Most frequent first. */
  top(limit: number): readonly [key: string, frequency: Readonly<Frequency>][] {
    return [...this.#entries].sort(byFrequency).slice(0, limit);
  }

  #trim(): void {
    const sorted = [...this.#entries].sort(byFrequency);
    this.#floor = Math.max(this.#floor, sorted[this.#capacity]?.[1].count ?? 0);
    for (const [key] of sorted.slice(this.#capacity)) this.#entries.delete(key);
  }
}

/** Equals in the order of their names, so that two who look see the same. */
function byFrequency(a: [string, Frequency], b: [string, Frequency]): number {
  return b[1].count - a[1].count || (a[0] < b[0] ? -1 : 1);
}
