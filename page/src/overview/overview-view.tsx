/**
 * How it goes: what was asked and what became of it, by tenant and over time; who is well; what changed lately.
 */
import "../style/telemetry.css";
import type { Overview, Series } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { looksOf } from "../parts/series.ts";
import { paceOf, SpanHead, telemetryPath, useSpan } from "../parts/span.tsx";
import { plural } from "../text/words.ts";
import { Charts } from "./charts.tsx";
import { Figures } from "./figures.tsx";
import { Health } from "./health.tsx";
import { Lately } from "./lately.tsx";
import { TenantTable } from "./tenant-table.tsx";

/** Lines that are told apart in one chart. */
const MAX_LINES = "6";

export function OverviewView() {
  const span = useSpan();
  const pace = paceOf(span.window);
  const overview = useFollowed<Overview>(telemetryPath("overview", span), pace);
  const series = useFollowed<Series>(telemetryPath("series", span, { limit: MAX_LINES }), pace);
  const told = overview.value.value;
  const trouble = overview.trouble.value || series.trouble.value;
  const drawn = series.value.value;
  const looks = looksOf(drawn?.tenants.map(({ tenant }) => tenant) ?? []);
  return (
    <div class="stack overview">
      <SpanHead title="Overview" span={span} trouble={trouble} />
      {told !== undefined && (
        <>
          <Figures summary={told.all} trend={told.trend} />
          <Caveats overview={told} />
        </>
      )}
      {drawn !== undefined && <Charts series={drawn} looks={looks} />}
      {told !== undefined && told.tenants.length > 0 && <TenantTable tenants={told.tenants} looks={looks} />}
      <div class="columns beside">
        <Health />
        <Lately />
      </div>
    </div>
  );
}

/** What one has to know to read the figures rightly. */
function Caveats({ overview: { lost, events, all } }: { readonly overview: Overview }) {
  return (
    <>
      {lost > 0 && (
        <p class="warn">{plural(lost, "query", "queries")} too few in all figures: events were lost on the way.</p>
      )}
      {events === "Logged" && <p class="warn">Only queries that are to be logged are counted: Settings say so.</p>}
      {all.queries === 0 && <p class="empty">Nobody has asked anything in this time.</p>}
    </>
  );
}
