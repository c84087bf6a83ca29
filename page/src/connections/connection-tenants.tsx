/** Each tenant's connections. */
import type { Connections } from "../../../extproc/telemetry/questions.ts";
import { tenantParameter } from "../parts/span.tsx";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatLatency, nameTenant } from "../text/words.ts";

export function ConnectionTenants({ tenants }: Pick<Connections, "tenants">) {
  return (
    <section class="wide" aria-labelledby="by-tenant" tabIndex={0}>
      <h2 id="by-tenant">By tenant</h2>
      <table>
        <thead>
          <tr>
            <th>Tenant</th>
            <th class="number">Allowed</th>
            <th class="number">Refused</th>
            <th class="number">Would be</th>
            <th class="number">Connected</th>
            <th class="number">Failed</th>
            <th class="number">Open after, p50</th>
            <th class="number">p99</th>
          </tr>
        </thead>
        <tbody>
          {tenants.map(({ tenant, allowed, refused, wouldRefuse, connected, failed, connectMs }) => (
            <tr key={tenant}>
              <td>
                <a href={linkTo(["connections"], { tenant: tenantParameter(tenant) })}>
                  <bdi>{nameTenant(tenant)}</bdi>
                </a>
              </td>
              <td class="number">{formatCount(allowed)}</td>
              <td class={refused > 0 ? "number bad" : "number"}>{formatCount(refused)}</td>
              <td class={wouldRefuse > 0 ? "number warn" : "number"}>{formatCount(wouldRefuse)}</td>
              <td class="number">{formatCount(connected)}</td>
              <td class={failed > 0 ? "number bad" : "number"}>{formatCount(failed)}</td>
              <td class="number">{connectMs === undefined ? "–" : formatLatency(connectMs.p50)}</td>
              <td class="number">{connectMs === undefined ? "–" : formatLatency(connectMs.p99)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
