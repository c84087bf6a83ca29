/**
 * Four charts with a line for each tenant: queries, denials, latency, cache.
 */
import { useMemo } from "preact/hooks";
import type { Series, SeriesColumns } from "../../../extproc/telemetry/questions.ts";
import { Chart, type Line } from "../parts/chart.tsx";
import { type Look, lookAt } from "../parts/series.ts";
import { formatLatency, formatRate, formatShare, nameTenant } from "../text/words.ts";
import { cacheRatio } from "./figures.tsx";

type Column = (columns: SeriesColumns, at: number) => number | null;

export function Charts({ series, looks }: { readonly series: Series; readonly looks: ReadonlyMap<string, Look> }) {
  const { times, tenants } = series;
  const [only] = tenants;
  const charts = useMemo(() => {
    const seconds = secondsOfSteps(series);
    const lines = (column: Column): Line[] =>
      tenants.map(({ tenant, ...columns }) => ({
        name: nameTenant(tenant),
        look: looks.get(tenant) ?? lookAt(0),
        values: times.map((_, at) => (seconds[at] === 0 ? null : column(columns, at))),
      }));
    const rate = (of: "queries" | "denied") => lines((columns, at) => (columns[of][at] ?? 0) / (seconds[at] ?? 1));
    const p99 = lines(({ p99 }, at) => p99[at] ?? null);
    const cache = lines(({ hits, misses }, at) => {
      const ratio = cacheRatio({ hits: hits[at] ?? 0, misses: misses[at] ?? 0 });
      return Number.isNaN(ratio) ? null : ratio;
    });
    const p50: Line[] =
      tenants.length === 1 && only !== undefined
        ? lines(({ p50 }, at) => p50[at] ?? null).map((line) => ({ ...line, name: "p50", look: lookAt(1) }))
        : [];
    const latency = p50.length === 0 ? p99 : [...p99.map((line) => ({ ...line, name: "p99" })), ...p50];
    return { queries: rate("queries"), denied: rate("denied"), latency, cache };
  }, [series]);
  if (tenants.length === 0) return null;
  return (
    <section class="charts" aria-label="Over time, by tenant">
      <Chart title="Queries" times={times} lines={charts.queries} format={formatRate} />
      <Chart title="Denied" times={times} lines={charts.denied} format={formatRate} />
      <Chart
        title={tenants.length === 1 ? "Latency" : "Latency, p99"}
        times={times}
        lines={charts.latency}
        format={formatLatency}
      />
      <Chart title="From the cache" times={times} lines={charts.cache} format={formatShare} most={1} />
    </section>
  );
}

/** Of each step; 0 of the last, which is not over, and would look like a fall. */
function secondsOfSteps({ times, to, stepSeconds }: Series): number[] {
  const end = Date.parse(to) / 1000;
  return times.map((start) => (start + stepSeconds > end ? 0 : stepSeconds));
}
