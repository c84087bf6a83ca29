/**
 * A proof: something that the product must show, with figures, at full size or at a fraction of it.
 */

/** What was measured, and whether it is enough. */
export class Report {
  readonly figures: [name: string, value: string | number][] = [];
  readonly failures: string[] = [];
  readonly #patience: number;

  /** `patience`: how many times its bound a time may take, as on a machine that is busy with something else. */
  constructor(patience = 1) {
    this.#patience = patience;
  }

  figure(name: string, value: string | number): void {
    this.figures.push([name, typeof value === "number" ? Number(value.toFixed(2)) : value]);
  }

  /** A condition with what was expected and what came. */
  check(holds: boolean, what: string): void {
    if (!holds) this.failures.push(what);
  }

  /** A figure with its upper bound. */
  atMost(name: string, value: number, limit: number): void {
    this.figure(name, value);
    this.check(value <= limit, `${name}: expected at most ${limit}, got ${Number(value.toFixed(2))}`);
  }

  /** A time, or what is in terms of one, with its upper bound. */
  inTime(name: string, value: number, limit: number): void {
    this.atMost(name, value, limit * this.#patience);
  }

  /** So many in a second, with its lower bound. */
  atRate(name: string, value: number, limit: number): void {
    this.atLeast(name, value, limit / this.#patience);
  }

  /** A figure with its lower bound. */
  atLeast(name: string, value: number, limit: number): void {
    this.figure(name, value);
    this.check(value >= limit, `${name}: expected at least ${limit}, got ${Number(value.toFixed(2))}`);
  }

  get passed(): boolean {
    return this.failures.length === 0;
  }
}

export interface Proof {
  name: string;
  /** What must be shown, as one line. */
  what: string;
  /** `scale` is 1 at full size; counts and durations shrink with it, limits do not. */
  run(scale: number, report: Report): Promise<void>;
}

/** A count or duration at this scale, and no less than it takes to show anything. */
export function scaled(full: number, scale: number, least: number): number {
  return Math.max(least, Math.round(full * scale));
}
