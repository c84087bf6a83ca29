/** What second upstreams say of the same questions (action Mirror): whether one may move to them. */

import type { Mirrors } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { Name } from "../parts/name.tsx";
import { paceOf, type Span, telemetryPath } from "../parts/span.tsx";
import { WhoAndTimes } from "../parts/who-and-times.tsx";
import { formatCount, formatLatency, formatShare, nameTenant } from "../text/words.ts";

const SHOWN = "20";

export function Compared({ span }: { readonly span: Span }) {
  const { value } = useFollowed<Mirrors>(telemetryPath("mirrors", span, { limit: SHOWN }), paceOf(span.window));
  const { upstreams = [], differing = [] } = value.value ?? {};
  if (upstreams.length === 0) return null;
  return (
    <section class="stack wide compared" aria-labelledby="compared" tabIndex={0}>
      <h2 id="compared">Asked too, to compare</h2>
      <table>
        <thead>
          <tr>
            <th>Second upstream</th>
            <th>Tenant</th>
            <th class="number">Same answer</th>
            <th class="number">Different</th>
            <th class="number">No answer</th>
            <th class="number">p50</th>
            <th class="number">p99</th>
          </tr>
        </thead>
        <tbody>
          {upstreams.map(({ tenant, upstream, same, different, failed, latencyMs }) => (
            <tr key={`${tenant} ${upstream}`}>
              <td>{upstream}</td>
              <td>
                <bdi>{nameTenant(tenant)}</bdi>
              </td>
              <td class="number">{formatCount(same)}</td>
              <td class={different > 0 ? "number warn" : "number"}>
                {formatCount(different)}{" "}
                <span class="quiet">{formatShare(different / Math.max(1, same + different))}</span>
              </td>
              <td class={failed > 0 ? "number bad" : "number"}>{formatCount(failed)}</td>
              <td class="number">{latencyMs === undefined ? "–" : formatLatency(latencyMs.p50)}</td>
              <td class="number">{latencyMs === undefined ? "–" : formatLatency(latencyMs.p99)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {differing.length > 0 && <Differing items={differing} />}
    </section>
  );
}

function Differing({ items }: { readonly items: Mirrors["differing"] }) {
  return (
    <table>
      <caption class="label">Names of which it says something else</caption>
      <thead>
        <tr>
          <th>Name</th>
          <th>Type</th>
          <th>Clients got</th>
          <th>The second says</th>
          <th>Tenant</th>
          <th class="number">Times</th>
        </tr>
      </thead>
      <tbody>
        {items.map(({ tenant, upstream, name, type, first, second, count, over }) => (
          <tr key={`${tenant} ${upstream} ${name} ${type} ${first} ${second}`}>
            <td>
              <Name name={name} />
            </td>
            <td class="mono">{type}</td>
            <td>{first}</td>
            <td class="warn">
              {first === second ? "other records" : second} <span class="quiet">({upstream})</span>
            </td>
            <WhoAndTimes tenant={tenant} count={count} over={over} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}
