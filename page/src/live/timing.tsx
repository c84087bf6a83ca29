/** Where the time of a query went, as far as its event tells: the policy service, the upstream, and all else in the worker. */
import type { QueryRecord } from "../../../extproc/telemetry/questions.ts";
import { formatLatency } from "../text/words.ts";

interface Step {
  readonly name: string;
  readonly microseconds: number;
  readonly tone: string;
}

export function Timing({ query }: { readonly query: QueryRecord }) {
  const { latency_us: total, upstream_us = 0, decision_us = 0, upstream = "an upstream" } = query;
  const decision = Math.min(decision_us, total);
  const waited = Math.min(upstream_us, total - decision);
  const steps: readonly Step[] = [
    { name: "waiting for a decision", microseconds: decision, tone: "decision" },
    { name: `waiting for ${upstream}`, microseconds: waited, tone: "upstream" },
    { name: "all else in the worker", microseconds: total - decision - waited, tone: "here" },
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
