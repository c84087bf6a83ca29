/** Where somebody wanted to go whose DNS had not told them of it, or whose name for it is denied by now. */

import type { Connections } from "../../../extproc/telemetry/questions.ts";
import { WhoAndTimes } from "../parts/who-and-times.tsx";

export function Refused({ items }: { readonly items: Connections["refused"] }) {
  return (
    <section class="wide" aria-labelledby="refused" tabIndex={0}>
      <h2 id="refused">Refused</h2>
      <p class="quiet">
        {items.length === 0
          ? "Everybody went where DNS had led them."
          : "No answer of theirs had this address within its TTL, or its name is denied by now. In mode Audit they were let through."}
      </p>
      {items.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>Address</th>
              <th>Tenant</th>
              <th class="number">Times</th>
            </tr>
          </thead>
          <tbody>
            {items.map(({ tenant, key, count, over }) => (
              <tr key={`${tenant} ${key}`}>
                <td class="mono">{key}</td>
                <WhoAndTimes tenant={tenant} count={count} over={over} bad />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
