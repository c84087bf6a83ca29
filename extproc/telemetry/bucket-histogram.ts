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
  readonly exemplars: (BucketExemplar | undefined)[];
  sum: number;
}

/** Of one thing in a bucket, where to find it; `timestamp` in seconds. */
export interface BucketExemplar {
  readonly labelSet: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestamp: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly exemplar?: BucketExemplar | undefined;
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
    const { buckets } = this.#options;
    const key = this.#keyOf(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      const counts = new Array<number>(buckets.length + 1).fill(0);
      series = { labels: { ...labels }, counts, exemplars: [], sum: 0 };
      this.#series.set(key, series);
    }
    for (let i = 0; i <= buckets.length; i++) series.counts[i] = (series.counts[i] ?? 0) + (counts[i] ?? 0);
    series.sum += sum;
  }

  /** Takes the place of what the bucket has shown; a bucket that nothing was added to shows nothing. */
  show(labels: LabelValues<T>, bucket: number, exemplar: BucketExemplar): void {
    const series = this.#series.get(this.#keyOf(labels));
    if ((series?.counts[bucket] ?? 0) > 0 && series !== undefined) series.exemplars[bucket] = exemplar;
  }

  #keyOf(labels: LabelValues<T>): string {
    return JSON.stringify(this.#options.labelNames.map((name) => labels[name]));
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

  #samples({ labels: own, counts, exemplars, sum }: Series<T>): Sample[] {
    const { name, buckets } = this.#options;
    const labels = own as Record<string, string | number>;
    let total = 0;
    const cumulative = counts.map((count, index): Sample => {
      total += count;
      const exemplar = exemplars[index];
      return {
        metricName: `${name}_bucket`,
        labels: { le: buckets[index] ?? "+Inf", ...labels },
        value: total,
        exemplar,
      };
    });
    return [
      ...cumulative,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}
