/** How it goes with what is asked of others: upstreams, second upstreams that are compared, connections. */

import type { ServerDescription } from "../../../extproc/server/admin/status.ts";
import type {
  Connections,
  MirrorCounts,
  Mirrors,
  UpstreamSummary,
  Upstreams,
} from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatLatency, formatShare, plural } from "../text/words.ts";
import { isSoon, ValidUntil } from "../upstreams/valid-until.tsx";
import { type Grade, Item } from "./health-item.tsx";

/** What fails more often than this is not well. */
const MUCH = 0.01;
const MOST = 0.5;
const PACE_MS = 5000;
const CERTIFICATES_MS = 60_000;

export function TrafficHealth() {
  const upstreams = useFollowed<Upstreams>("/v1/telemetry/upstreams?window=15m", PACE_MS);
  const mirrors = useFollowed<Mirrors>("/v1/telemetry/mirrors?window=15m", PACE_MS);
  const connections = useFollowed<Connections>("/v1/telemetry/connections?window=15m", PACE_MS);
  return (
    <>
      {upstreams.value.value?.upstreams.map((upstream) => (
        <Upstream key={upstream.upstream} {...upstream} />
      ))}
      <Certificates />
      {mirrors.value.value?.upstreams.map((mirror) => (
        <Mirror key={`${mirror.tenant} ${mirror.upstream}`} {...mirror} />
      ))}
      {connections.value.value !== undefined && <OfConnections told={connections.value.value} />}
    </>
  );
}

function gradeOf(share: number): Grade {
  return share > MOST ? "bad" : share > MUCH ? "warn" : "good";
}

function Upstream({ upstream, queries, failed, latencyMs }: UpstreamSummary) {
  const share = failed / queries;
  return (
    <Item grade={gradeOf(share)}>
      Upstream <a href={linkTo(["upstreams"])}>{upstream}</a>: {plural(queries, "query", "queries")}
      {failed > 0 ? `, ${formatShare(share)} failed` : ""}
      {latencyMs === undefined ? "" : `, p50 ${formatLatency(latencyMs.p50)}, p99 ${formatLatency(latencyMs.p99)}`}
    </Item>
  );
}

/** Those that are about to end, or have. */
function Certificates() {
  const { value } = useFollowed<{ readonly servers: readonly ServerDescription[] }>("/v1/upstreams", CERTIFICATES_MS);
  const ending = (value.value?.servers ?? []).flatMap(({ certificate, ...server }) => {
    const until = new Date(certificate?.validUntil ?? Number.NaN);
    return isSoon(until) ? [{ ...server, until }] : [];
  });
  return (
    <>
      {ending.map(({ cluster, upstream, address, port, until }) => (
        <Item key={cluster} grade={until.getTime() < Date.now() ? "bad" : "warn"}>
          The certificate of{" "}
          <a href={linkTo(["upstreams"])}>
            {upstream}, {address}, port {port}
          </a>
          : <ValidUntil until={until} />
        </Item>
      ))}
    </>
  );
}

/** Nobody gets what it says: it is never worse than to be looked at. */
function Mirror({ tenant, upstream, same, different, failed }: MirrorCounts & { readonly tenant: string }) {
  const wrong = (different + failed) / (same + different + failed);
  return (
    <Item grade={wrong > MUCH ? "warn" : "good"}>
      <a href={linkTo(["upstreams"])}>{upstream}</a>, which is asked what <bdi>{tenant}</bdi> asks: {formatCount(same)}{" "}
      the same
      {different > 0 ? `, ${formatCount(different)} different` : ""}
      {failed > 0 ? `, ${formatCount(failed)} without an answer` : ""}
    </Item>
  );
}

function OfConnections({ told: { tenants } }: { readonly told: Connections }) {
  if (tenants.length === 0) return null;
  const sum = (of: "connected" | "failed" | "refused") => tenants.reduce((total, each) => total + each[of], 0);
  const [connected, failed, refused] = [sum("connected"), sum("failed"), sum("refused")];
  return (
    <Item grade={failed === 0 ? "good" : gradeOf(failed / (connected + failed))}>
      <a href={linkTo(["connections"])}>Connections</a>: {formatCount(connected)} came about
      {failed > 0 ? `, ${formatCount(failed)} failed after their name had resolved` : ""}
      {refused > 0 ? `, ${formatCount(refused)} refused` : ""}
    </Item>
  );
}
