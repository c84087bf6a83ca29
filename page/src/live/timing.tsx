/** Where the time of a query went, as far as its event tells: upstream, and all else in the worker. */
import type { QueryRecord } from "../../../extproc/telemetry/questions.ts";
import { formatLatency } from "../text/words.ts";

interface Step {
  readonly name: string;
  readonly microseconds: number;
  readonly tone: string;
}

export function Timing({ query }: { readonly query: QueryRecord }) {
  const { latency_us: total, upstream_us: upstream = 0 } = query;
  const waited = Math.min(upstream, total);
  const steps: readonly Step[] = [
    { name: decided(query), microseconds: total - waited, tone: "here" },
    { name: `waiting for ${query.upstream ?? "an upstream"}`, microseconds: waited, tone: "upstream" },
  ].filter(({ microseconds }) => microseconds > 0);
  return (
    <section aria-label="Timing">
      <p>
        {total === 0
          ? "Answered at once: within one turn of the worker’s loop."
          : `${formatLatency(total / 1000)} in all`}
      </p>
      {steps.length > 0 && (
        <>
          <div class="timing" aria-hidden="true">
            {steps.map(({ name, microseconds, tone }) => (
              <span key={name} class={tone} style={{ flexGrow: microseconds }} />
            ))}
          </div>
          <ol class="row">
            {steps.map(({ name, microseconds, tone }) => (
              <li key={name} class={tone}>
                {name}: <span class="mono">{formatLatency(microseconds / 1000)}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function decided({ cache }: QueryRecord): string {
  return cache === "hit" ? "policy and cache" : "policy, and all else in the worker";
}
