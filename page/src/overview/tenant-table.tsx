/** What the charts draw, in figures. */
import type { TenantSummary } from "../../../extproc/telemetry/questions.ts";
import { shareOf } from "../parts/figure.tsx";
import type { Look } from "../parts/series.ts";
import { tenantParameter } from "../parts/span.tsx";
import { Swatch } from "../parts/swatch.tsx";
import { linkTo } from "../shell/route.ts";
import { formatCompact, formatCount, formatLatency, formatRate, formatShare, nameTenant } from "../text/words.ts";
import { cacheRatio } from "./figures.tsx";

export function TenantTable(props: {
  readonly tenants: readonly TenantSummary[];
  readonly looks: ReadonlyMap<string, Look>;
}) {
  return (
    <section class="wide" aria-label="By tenant" tabIndex={0}>
      <table>
        <caption class="unseen">What each tenant has asked, most queries first</caption>
        <thead>
          <tr>
            <th>Tenant</th>
            <th class="number">Queries</th>
            <th class="number">Rate</th>
            <th class="number">Denied</th>
            <th class="number">Would be</th>
            <th class="number">Failed</th>
            <th class="number">Cache</th>
            <th class="number">p50</th>
            <th class="number">p99</th>
            <th class="number">Names</th>
          </tr>
        </thead>
        <tbody>
          {props.tenants.map((summary) => (
            <Row key={summary.tenant} summary={summary} look={props.looks.get(summary.tenant)} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ summary, look }: { readonly summary: TenantSummary; readonly look: Look | undefined }) {
  const { tenant, queries, rate, denied, wouldDeny, failed, latencyMs, uniqueNames } = summary;
  return (
    <tr>
      <td>
        {look !== undefined && <Swatch look={look} />}{" "}
        <a href={linkTo(["overview"], { tenant: tenantParameter(tenant) })}>
          <bdi>{nameTenant(tenant)}</bdi>
        </a>
      </td>
      <td class="number">{formatCount(queries)}</td>
      <td class="number">{formatRate(rate)}</td>
      <td class={denied > 0 ? "number bad" : "number"}>
        {formatCount(denied)} <span class="quiet">{shareOf(denied, queries)}</span>
      </td>
      <td class={wouldDeny > 0 ? "number warn" : "number"}>{formatCount(wouldDeny)}</td>
      <td class={failed > 0 ? "number bad" : "number"}>{formatCount(failed)}</td>
      <td class="number">{formatShare(cacheRatio(summary))}</td>
      <td class="number">{latencyMs === undefined ? "–" : formatLatency(latencyMs.p50)}</td>
      <td class="number">{latencyMs === undefined ? "–" : formatLatency(latencyMs.p99)}</td>
      <td class="number">≈ {formatCompact(uniqueNames)}</td>
    </tr>
  );
}
