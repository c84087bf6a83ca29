/** The sums that one looks at first. */
import type { Overview, Summary, Trend } from "../../../extproc/telemetry/questions.ts";
import { Figure, shareOf } from "../parts/figure.tsx";
import { formatCompact, formatCount, formatLatency, formatRate, formatShare } from "../text/words.ts";

export interface FiguresProps {
  readonly summary: Summary;
  readonly trend: Overview["trend"];
}

export function Figures({ summary, trend }: FiguresProps) {
  const { queries, rate, denied, wouldDeny, failed, latencyMs, uniqueNames, uniqueClients } = summary;
  return (
    <dl class="figures" aria-label="Sums">
      <Figure name="Queries" value={formatCount(queries)} more={formatRate(rate)} than={changeOf("queries", trend)} />
      <Figure
        name="Denied"
        value={formatCount(denied)}
        more={shareOf(denied, queries)}
        than={changeOf("denied", trend)}
        tone={denied > 0 ? "bad" : ""}
      />
      <Figure
        name="Would be denied"
        value={formatCount(wouldDeny)}
        more="by rules on trial"
        than={changeOf("wouldDeny", trend)}
        tone={wouldDeny > 0 ? "warn" : ""}
      />
      <Figure
        name="Failed"
        value={formatCount(failed)}
        more={shareOf(failed, queries)}
        than={changeOf("failed", trend)}
        tone={failed > 0 ? "bad" : ""}
      />
      <Figure
        name="Latency"
        value={latencyMs === undefined ? "–" : formatLatency(latencyMs.p50)}
        more={latencyMs === undefined ? "" : `p99 ${formatLatency(latencyMs.p99)}`}
      />
      <Figure name="From the cache" value={formatShare(cacheRatio(summary))} more="of what may be" />
      <Figure name="Names" value={`≈ ${formatCompact(uniqueNames)}`} more={`${formatCompact(uniqueClients)} clients`} />
    </dl>
  );
}

/** Against as much time before; empty where that is not known, or nothing worth a word. */
function changeOf(of: keyof Trend, trend: Overview["trend"]): string {
  if (trend === undefined) return "";
  const [last, before] = [trend.last[of], trend.before[of]];
  if (before === 0) return last === 0 ? "" : "none before";
  const change = last / before - 1;
  if (Math.abs(change) < 0.01) return "as before";
  if (change >= 2) return `${formatCompact(Math.round(10 * (last / before)) / 10)} times as many as before`;
  return `${change > 0 ? "+" : "−"}${formatShare(Math.abs(change))} on before`;
}

/** Of what went to the cache at all; NaN where nothing did. */
export function cacheRatio({ hits, misses, stale = 0 }: { hits: number; misses: number; stale?: number }): number {
  return (hits + stale) / (hits + misses + stale);
}
