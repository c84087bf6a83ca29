/** The sums that one looks at first. */
import type { Summary } from "../../../extproc/telemetry/questions.ts";
import { formatCompact, formatCount, formatLatency, formatRate, formatShare } from "../text/words.ts";

export function Figures({ summary }: { readonly summary: Summary }) {
  const { queries, rate, denied, wouldDeny, failed, latencyMs, uniqueNames, uniqueClients } = summary;
  return (
    <dl class="figures" aria-label="Sums">
      <Figure name="Queries" value={formatCount(queries)} more={formatRate(rate)} />
      <Figure
        name="Denied"
        value={formatCount(denied)}
        more={shareOf(denied, queries)}
        tone={denied > 0 ? "bad" : ""}
      />
      <Figure
        name="Would be denied"
        value={formatCount(wouldDeny)}
        more="by rules on trial"
        tone={wouldDeny > 0 ? "warn" : ""}
      />
      <Figure
        name="Failed"
        value={formatCount(failed)}
        more={shareOf(failed, queries)}
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

function Figure(props: {
  readonly name: string;
  readonly value: string;
  readonly more: string;
  readonly tone?: string;
}) {
  const { name, value, more, tone = "" } = props;
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>{value}</dd>
      <dd class="quiet">{more}</dd>
    </div>
  );
}

export function shareOf(part: number, whole: number): string {
  return whole === 0 ? "" : formatShare(part / whole);
}

/** Of what went to the cache at all; NaN where nothing did. */
export function cacheRatio({ hits, misses, stale = 0 }: { hits: number; misses: number; stale?: number }): number {
  return (hits + stale) / (hits + misses + stale);
}
