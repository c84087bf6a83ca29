/**
 * Envoy's stats as the guest defines them: by name; a name that is defined again is the same stat under another id.
 */
import { MetricType, Status } from "./abi.ts";

export interface Metric {
  type: MetricType;
  name: string;
  value: bigint;
  /** Of a histogram: every value recorded. */
  samples: bigint[];
}

export class Metrics {
  readonly #byName = new Map<string, Metric>();
  readonly #byId = new Map<number, Metric>();
  /** Ids carry the type in their two low bits. */
  readonly #nextId = [0, 1, 2];

  define(type: MetricType, name: string): number {
    const key = `${type} ${name}`;
    const metric = this.#byName.get(key) ?? { type, name, value: 0n, samples: [] };
    this.#byName.set(key, metric);
    const id = (this.#nextId[type] ?? 0) + 4;
    this.#nextId[type] = id;
    this.#byId.set(id, metric);
    return id;
  }

  increment(id: number, offset: bigint): Status {
    const metric = this.#byId.get(id);
    if ((id & 3) === MetricType.Histogram) return Status.BadArgument;
    if (!metric) return Status.NotFound;
    if (metric.type === MetricType.Counter && offset <= 0n) return Status.BadArgument;
    metric.value += offset;
    return Status.Ok;
  }

  record(id: number, value: bigint): Status {
    const metric = this.#byId.get(id);
    if (!metric) return Status.NotFound;
    if (metric.type === MetricType.Histogram) metric.samples.push(value);
    else if (metric.type === MetricType.Counter) metric.value += value;
    else metric.value = value;
    return Status.Ok;
  }

  get(id: number): bigint | Status {
    if ((id & 3) === MetricType.Histogram) return Status.BadArgument;
    return this.#byId.get(id)?.value ?? Status.NotFound;
  }

  /** Value by name, 0 where nothing of that name was defined. */
  value(name: string): number {
    const metric = this.all.find((each) => each.name === name);
    return Number(metric?.value ?? 0n);
  }

  get all(): Metric[] {
    return [...this.#byName.values()];
  }
}
