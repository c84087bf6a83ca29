/**
 * A histogram that takes whole buckets: what workers have counted is added, not observed one by one.
 *
 * prom-client's own can only observe. A registry asks its metrics for no more than this class has.
 */
import type { LabelValues, Metric, Registry } from "prom-client";

interface Series<T extends string> {
  readonly labels: LabelValues<T>;
  /** One for each bound, and one more; not cumulative. */
  readonly counts: number[];
  sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface BucketHistogramOptions<T extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly T[];
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  readonly registry: Registry;
}

export class BucketHistogram<T extends string> {
  readonly name: string;
  readonly #options: BucketHistogramOptions<T>;
  readonly #series = new Map<string, Series<T>>();

  constructor(options: BucketHistogramOptions<T>) {
    this.name = options.name;
    this.#options = options;
    options.registry.registerMetric(this as unknown as Metric);
  }

  /** `counts`: how many fell between each bound and the one before; the last, beyond all bounds. */
  add(labels: LabelValues<T>, counts: readonly number[], sum: number): void {
    const { labelNames, buckets } = this.#options;
    const key = JSON.stringify(labelNames.map((name) => labels[name]));
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels: { ...labels }, counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 };
      this.#series.set(key, series);
    }
    for (let i = 0; i <= buckets.length; i++) series.counts[i] = (series.counts[i] ?? 0) + (counts[i] ?? 0);
    series.sum += sum;
  }

  reset(): void {
    this.#series.clear();
  }

  /** As the registry prints it. */
  async get(): Promise<object> {
    const { name, help } = this.#options;
    const values = [...this.#series.values()].flatMap((series) => this.#samples(series));
    return { name, help, type: "histogram", values, aggregator: "sum" };
  }

  #samples({ labels: own, counts, sum }: Series<T>): Sample[] {
    const { name, buckets } = this.#options;
    const labels = own as Record<string, string | number>;
    let total = 0;
    const cumulative = counts.map((count, index): Sample => {
      total += count;
      return { metricName: `${name}_bucket`, labels: { le: buckets[index] ?? "+Inf", ...labels }, value: total };
    });
    return [
      ...cumulative,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}
