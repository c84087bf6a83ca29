/**
 * Times of many, as quantiles, in a few numbers.
 */
import { LogCollapsingLowestDenseDDSketch } from "@datadog/sketches-js";
import type { Packer, Unpacker } from "./packing.ts";
import type { Latency } from "./questions.ts";

/** A DDSketch's promise: a quantile is off by so much of itself at most. Of 1 us to 5 s that are some 160 numbers. */
const ACCURACY = 0.05;
const MAX_BINS = 512;

type Sketch = InstanceType<typeof LogCollapsingLowestDenseDDSketch>;

export class LatencySketch {
  #sketch: Sketch | undefined;

  /** Microseconds, whole. */
  add(microseconds: number): void {
    this.#sketch ??= newSketch();
    this.#sketch.accept(microseconds);
  }

  merge(other: LatencySketch): void {
    if (other.#sketch === undefined) return;
    this.#sketch ??= newSketch();
    this.#sketch.merge(other.#sketch);
  }

  /** All that is read of it: neither the sum nor the least. */
  pack(to: Packer): void {
    const sketch = this.#sketch;
    to.number(sketch?.count ?? 0);
    if (!sketch?.count) return;
    to.number(sketch.zeroCount);
    to.number(sketch.max);
    const { count, minKey, maxKey, offset, bins } = sketch.store;
    to.number(count === 0 ? 0 : minKey);
    to.number(count === 0 ? 0 : maxKey - minKey + 1);
    for (let key = minKey; key <= maxKey; key++) to.number(bins[key - offset] ?? 0);
  }

  mergePacked(from: Unpacker): void {
    const count = from.number();
    if (count === 0) return;
    this.#sketch ??= newSketch();
    const sketch = this.#sketch;
    sketch.count += count;
    sketch.zeroCount += from.number();
    sketch.max = Math.max(sketch.max, from.number());
    let key = from.number();
    for (let left = from.number(); left > 0; left--, key++) {
      const values = from.number();
      if (values > 0) sketch.store.add(key, values);
    }
  }

  /** Milliseconds; null without a value. */
  quantile(quantile: number): number | null {
    const sketch = this.#sketch;
    return sketch === undefined ? null : toMilliseconds(Math.min(sketch.getValueAtQuantile(quantile), sketch.max));
  }

  get latency(): { readonly latencyMs?: Latency } {
    const sketch = this.#sketch;
    if (sketch === undefined) return {};
    const at = (quantile: number) => this.quantile(quantile) ?? 0;
    return { latencyMs: { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: toMilliseconds(sketch.max) } };
  }
}

function newSketch(): Sketch {
  return new LogCollapsingLowestDenseDDSketch({ relativeAccuracy: ACCURACY, binLimit: MAX_BINS });
}

function toMilliseconds(microseconds: number): number {
  return Math.max(Math.round(microseconds), 0) / 1000;
}
