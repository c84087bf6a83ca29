/** One server of an upstream: which part of the answers were its own, and until when its certificate is valid. */
import type { ServerDescription } from "../../../extproc/server/admin/status.ts";
import type { ServerSummary } from "../../../extproc/telemetry/questions.ts";
import { formatCount } from "../text/words.ts";
import { Latencies, Share } from "./cells.tsx";
import { ValidUntil } from "./valid-until.tsx";

export interface ServerRowProps {
  readonly server: ServerDescription;
  /** Undefined where it has answered nothing. */
  readonly told: ServerSummary | undefined;
}

export function ServerRow({ server, told }: ServerRowProps) {
  const { address, port, serverName } = server;
  const { answers = 0, share = 0, latencyMs } = told ?? {};
  const name = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  return (
    <tr class="server">
      <th scope="row">
        <span class="mono">{name}</span>
        {serverName !== "" && <span class="quiet"> {serverName}</span>}
      </th>
      <td class="number">{formatCount(answers)}</td>
      <td class="number">
        <Share of={name} share={share} />
      </td>
      <td />
      <td />
      <Latencies latencyMs={latencyMs} />
      <td>
        <Certificate server={server} />
      </td>
    </tr>
  );
}

function Certificate({ server: { certificate, serverName } }: { readonly server: ServerDescription }) {
  if (serverName === "") return <span class="quiet">none: TCP</span>;
  if (certificate === undefined) return <span class="quiet">not looked at</span>;
  const { validUntil, error } = certificate;
  return (
    <>
      {validUntil !== undefined && <ValidUntil until={new Date(validUntil)} />}
      {error !== "" && (
        <span class="warn" title={error}>
          {" "}
          not seen: <bdi>{error}</bdi>
        </span>
      )}
    </>
  );
}
