/**
 * Connections: what DNS allowed and what it did not, and which names were answered with addresses that nobody could reach.
 */
import "../style/telemetry.css";
import type { ConnectionCounts, Connections } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { Figure, shareOf } from "../parts/figure.tsx";
import { paceOf, SpanHead, telemetryPath, useSpan } from "../parts/span.tsx";
import { formatCount, formatLatency } from "../text/words.ts";
import { ConnectionTenants } from "./connection-tenants.tsx";
import { NotAsked } from "./not-asked.tsx";
import { Refused } from "./refused.tsx";
import { Unreachable } from "./unreachable.tsx";

const SHOWN = "50";

export function ConnectionsView() {
  const span = useSpan();
  const path = telemetryPath("connections", span, { limit: SHOWN });
  const { value, trouble } = useFollowed<Connections>(path, paceOf(span.window));
  const told = value.value;
  return (
    <div class="stack connections">
      <SpanHead title="Connections" span={span} trouble={trouble.value} />
      {told !== undefined && told.tenants.length === 0 && <NotAsked />}
      {told !== undefined && told.tenants.length > 0 && (
        <>
          <Sums tenants={told.tenants} />
          <Unreachable items={told.unreachable} />
          <Refused items={told.refused} />
          <ConnectionTenants tenants={told.tenants} />
        </>
      )}
    </div>
  );
}

function Sums({ tenants }: Pick<Connections, "tenants">) {
  const sum = (of: keyof ConnectionCounts) => tenants.reduce((total, each) => total + each[of], 0);
  const [allowed, refused, wouldRefuse] = [sum("allowed"), sum("refused"), sum("wouldRefuse")];
  const [connected, failed] = [sum("connected"), sum("failed")];
  const [only] = tenants;
  const connectMs = tenants.length === 1 ? only?.connectMs : undefined;
  return (
    <dl class="figures" aria-label="Sums">
      <Figure name="Allowed" value={formatCount(allowed)} more="by an answer of theirs" />
      <Figure
        name="Refused"
        value={formatCount(refused)}
        more={shareOf(refused, allowed + refused + wouldRefuse)}
        tone={refused > 0 ? "bad" : ""}
      />
      <Figure
        name="Would be refused"
        value={formatCount(wouldRefuse)}
        more="in mode Audit"
        tone={wouldRefuse > 0 ? "warn" : ""}
      />
      <Figure name="Connected" value={formatCount(connected)} more="of those let through" />
      <Figure
        name="Failed to connect"
        value={formatCount(failed)}
        more={shareOf(failed, connected + failed)}
        tone={failed > 0 ? "bad" : ""}
      />
      {connectMs !== undefined && (
        <Figure
          name="Until it is open"
          value={formatLatency(connectMs.p50)}
          more={`p99 ${formatLatency(connectMs.p99)}`}
        />
      )}
    </dl>
  );
}
