/**
 * Tenants: who looks up whose names, what they ask for most, what they are denied, and what rules on trial would deny.
 */
import "../style/tenants.css";
import type { TenantMap } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { paceOf, SpanHead, telemetryPath, useSpan } from "../parts/span.tsx";
import { route } from "../shell/route.ts";
import { NamesMap } from "./map.tsx";
import { OnTrial } from "./on-trial.tsx";
import { TopList } from "./top-list.tsx";

/** Pairs of a tenant and a zone. */
const PAIRS = "300";

export function TenantsView() {
  const span = useSpan();
  // All of them, so that one is seen among the others.
  const everybody = { ...span, tenant: "" };
  const { value, trouble } = useFollowed<TenantMap>(
    telemetryPath("tenants", everybody, { limit: PAIRS }),
    paceOf(span.window),
  );
  const map = value.value;
  return (
    <div class="stack tenants">
      <SpanHead title="Tenants" span={span} trouble={trouble.value} />
      {map !== undefined && map.tenants.length === 0 && <p class="empty">Nobody has asked anything in this time.</p>}
      {map !== undefined && map.tenants.length > 0 && (
        <NamesMap map={map} chosen={span.tenant} query={Object.fromEntries(route.value.query)} />
      )}
      <OnTrial span={span} />
      <div class="tops">
        <TopList kind="names" title="Asked for most" span={span} />
        <TopList kind="denied" title="Denied most" span={span} filter={{ verdict: "denied" }} />
        <TopList kind="audited" title="Would be denied most" span={span} />
        <TopList kind="clients" title="Who asks most" span={span} />
      </div>
    </div>
  );
}
