/** Cells that rows of upstreams and of their servers have. */
import type { Latency } from "../../../extproc/telemetry/questions.ts";
import { formatLatency, formatShare } from "../text/words.ts";

export function Latencies({ latencyMs }: { readonly latencyMs: Latency | undefined }) {
  return (
    <>
      {(["p50", "p90", "p99", "max"] as const).map((of) => (
        <td key={of} class="number">
          {latencyMs === undefined ? "–" : formatLatency(latencyMs[of])}
        </td>
      ))}
    </>
  );
}

export function Share({ of, share }: { readonly of: string; readonly share: number }) {
  return (
    <>
      <meter min="0" max="1" value={share} aria-label={`Share of ${of}`} />{" "}
      <span class="percent">{formatShare(share)}</span>
    </>
  );
}
