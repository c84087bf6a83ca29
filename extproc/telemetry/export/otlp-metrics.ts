/**
 * All that /metrics shows, pushed by OTLP: what is counted stands in one registry, and is read there in both cases.
 */
import { type HrTime, ValueType } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  MeterProvider,
  type MetricData,
  type MetricProducer,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { MetricObjectWithValues, MetricValueWithName, Registry } from "prom-client";
import { PRODUCT, VERSION } from "../../product.ts";
import { otlpResource, overhear } from "./otlp.ts";

export interface OtlpMetricsOptions {
  /** What is told, as it is now. */
  readonly read: () => Promise<Registry>;
  readonly intervalMs: number;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  readonly onTrouble: (message: string) => void;
}

/** Returns how to end it: with what is counted then. */
export function pushMetrics({ read, intervalMs, now, onTrouble }: OtlpMetricsOptions): () => Promise<void> {
  const resource = otlpResource();
  const started = now();
  let inTrouble = false;
  const exporter = overhear<ResourceMetrics, OTLPMetricExporter>(new OTLPMetricExporter(), (_, error) => {
    if (error !== undefined && !inTrouble) onTrouble(`metrics cannot be sent by OTLP: ${error.message}`);
    inTrouble = error !== undefined;
  });
  const producer: MetricProducer = {
    collect: async () => {
      const metrics = await (await read()).getMetricsAsJSON();
      const span = { startTime: hrTime(started), endTime: hrTime(now()) };
      const scope = { name: PRODUCT, version: VERSION };
      const data = metrics.flatMap((metric) => metricData(metric as unknown as MetricObjectWithValues<Sample>, span));
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics: data }] }, errors: [] };
    },
  };
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, 30_000),
    metricProducers: [producer],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  // The last push may find nobody.
  return () => provider.shutdown().catch(() => {});
}

type Sample = MetricValueWithName<string>;
type Span = Pick<DataPoint<number>, "startTime" | "endTime">;

/** OpenTelemetry has units beside names, and no suffixes: what makes names for Prometheus of them adds these again. */
const UNITS: readonly (readonly [suffix: string, unit: string])[] = [
  ["_seconds", "s"],
  ["_bytes", "By"],
];

/** Nothing for a kind that OpenTelemetry has not. */
function metricData(metric: MetricObjectWithValues<Sample>, span: Span): MetricData[] {
  const plain = metric.name.replace(/_total$/, "");
  const [suffix = "", unit = ""] = UNITS.find(([ending]) => plain.endsWith(ending)) ?? [];
  const descriptor = {
    name: plain.slice(0, plain.length - suffix.length),
    description: metric.help,
    unit,
    valueType: ValueType.DOUBLE,
  };
  const common = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
  // prom-client's enum is one of words, which BucketHistogram gives, too.
  switch (String(metric.type)) {
    case "counter":
      return [{ ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points(metric, span) }];
    case "gauge":
      return [{ ...common, dataPointType: DataPointType.GAUGE, dataPoints: points(metric, span) }];
    case "histogram":
      return [{ ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(metric, span) }];
    default:
      return [];
  }
}

function points({ values }: MetricObjectWithValues<Sample>, span: Span): DataPoint<number>[] {
  return values.map(({ value, labels }) => ({ ...span, attributes: labels as Record<string, string>, value }));
}

/** Of each set of labels, buckets come in order and cumulative, before their sum and count. */
function histograms({ name, values }: MetricObjectWithValues<Sample>, span: Span): DataPoint<Histogram>[] {
  const all = new Map<
    string,
    { attributes: Record<string, string>; bounds: number[]; totals: number[]; sum: number }
  >();
  for (const { metricName, labels, value } of values) {
    const { le, ...attributes } = labels as Record<string, string>;
    const key = JSON.stringify(Object.entries(attributes).sort());
    const series = all.get(key) ?? { attributes, bounds: [], totals: [], sum: 0 };
    all.set(key, series);
    if (metricName === `${name}_sum`) series.sum = value;
    if (le === undefined) continue;
    if (le !== "+Inf") series.bounds.push(Number(le));
    series.totals.push(value);
  }
  return [...all.values()].map(({ attributes, bounds: boundaries, totals, sum }) => {
    const counts = totals.map((total, index) => total - (totals[index - 1] ?? 0));
    return { ...span, attributes, value: { buckets: { boundaries, counts }, sum, count: totals.at(-1) ?? 0 } };
  });
}

function hrTime(milliseconds: number): HrTime {
  return [Math.floor(milliseconds / 1000), Math.round((milliseconds % 1000) * 1e6)];
}
