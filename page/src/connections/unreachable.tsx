/** Names that resolved, and whose address then took no connection: DNS was right, or it told of what is gone. */

import type { Connections } from "../../../extproc/telemetry/questions.ts";
import { Name } from "../parts/name.tsx";
import { tenantParameter } from "../parts/span.tsx";
import { WhoAndTimes } from "../parts/who-and-times.tsx";
import { linkTo } from "../shell/route.ts";

export function Unreachable({ items }: { readonly items: Connections["unreachable"] }) {
  return (
    <section class="wide" aria-labelledby="unreachable" tabIndex={0}>
      <h2 id="unreachable">Resolved, then failed to connect</h2>
      {items.length === 0 ? (
        <p class="quiet">Every connection that was let through came about.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th>Name</th>
              <th>Its address</th>
              <th>Tenant</th>
              <th class="number">Times</th>
            </tr>
          </thead>
          <tbody>
            {items.map(({ tenant, name, address, count, over }) => (
              <tr key={`${tenant} ${name} ${address}`}>
                <td>
                  {name === "" ? (
                    <span class="quiet">no name</span>
                  ) : (
                    <a href={linkTo(["live"], { tenant: tenantParameter(tenant), name })}>
                      <Name name={name} />
                    </a>
                  )}
                </td>
                <td class="mono">{address}</td>
                <WhoAndTimes tenant={tenant} count={count} over={over} bad />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
