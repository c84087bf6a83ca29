/**
 * Upstreams: how much goes to each and how it answers, which of its servers did, and until when certificates are valid; and
 * what second upstreams say of the same questions.
 */
import "../style/upstreams.css";
import { parseDocument } from "yaml";
import type { ServerDescription } from "../../../extproc/server/admin/status.ts";
import type { UpstreamSummary, Upstreams } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { resources } from "../api/service.ts";
import { paceOf, SpanHead, telemetryPath, useSpan } from "../parts/span.tsx";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatShare } from "../text/words.ts";
import { Latencies, Share } from "./cells.tsx";
import { expiriesIn } from "./certificate-expiry.ts";
import { Compared } from "./compared.tsx";
import { ServerRow } from "./server-row.tsx";
import { ValidUntil } from "./valid-until.tsx";

/** As it is written. */
interface Spec {
  readonly protocol: string;
  readonly strategy?: string;
  readonly servers: readonly object[];
  readonly tls?: { readonly ca?: string; readonly pins?: readonly string[] };
}

const SERVERS_MS = 10_000;

export function UpstreamsView() {
  const span = useSpan();
  const { value, trouble } = useFollowed<Upstreams>(telemetryPath("upstreams", span), paceOf(span.window));
  const servers = useFollowed<{ readonly servers: readonly ServerDescription[] }>("/v1/upstreams", SERVERS_MS);
  const told = value.value?.upstreams ?? [];
  const written = (resources.value?.resources ?? []).filter(({ kind }) => kind === "Upstream");
  const gone = told.filter(({ upstream }) => !written.some(({ name }) => name === upstream));
  const serversOf = (upstream: string) =>
    (servers.value.value?.servers ?? []).filter((each) => each.upstream === upstream);
  return (
    <div class="stack upstreams">
      <SpanHead title="Upstreams" span={span} trouble={trouble.value} />
      <section class="wide" aria-label="Upstreams" tabIndex={0}>
        <table>
          <caption class="unseen">How upstreams answer, in the order of their names, each with its servers</caption>
          <thead>
            <tr>
              <th>Upstream</th>
              <th class="number">Queries</th>
              <th class="number">Share</th>
              <th class="number">Failed</th>
              <th class="number">Stale instead</th>
              <th class="number">p50</th>
              <th class="number">p90</th>
              <th class="number">p99</th>
              <th class="number">Longest</th>
              <th>Certificate</th>
            </tr>
          </thead>
          {written.map(({ name, text }) => (
            <Group
              key={name}
              name={name}
              spec={specOf(text)}
              told={told.find(({ upstream }) => upstream === name)}
              servers={serversOf(name)}
            />
          ))}
          {gone.map((summary) => (
            <Group key={summary.upstream} name={summary.upstream} spec={undefined} told={summary} servers={[]} />
          ))}
        </table>
      </section>
      <Compared span={span} />
    </div>
  );
}

function specOf(text: string): Spec | undefined {
  return (parseDocument(text).toJS() as { readonly spec?: Spec } | null)?.spec;
}

interface GroupProps {
  readonly name: string;
  /** Undefined for one that is no longer there. */
  readonly spec: Spec | undefined;
  readonly told: UpstreamSummary | undefined;
  readonly servers: readonly ServerDescription[];
}

function Group({ name, spec, told, servers }: GroupProps) {
  const { queries = 0, failed = 0, stale = 0, share = 0, latencyMs } = told ?? {};
  return (
    <tbody>
      <tr>
        <th scope="rowgroup">
          {spec === undefined ? (
            <>
              {name} <span class="quiet">not there any more</span>
            </>
          ) : (
            <a href={linkTo(["policies", "set", "Upstream", name])}>{name}</a>
          )}
          {spec !== undefined && <MadeOf spec={spec} />}
        </th>
        <td class="number">{formatCount(queries)}</td>
        <td class="number">
          <Share of={name} share={share} />
        </td>
        <td class={failed > 0 ? "number bad" : "number"}>
          {formatCount(failed)} <span class="quiet">{queries === 0 ? "" : formatShare(failed / queries)}</span>
        </td>
        <td class={stale > 0 ? "number warn" : "number"}>{formatCount(stale)}</td>
        <Latencies latencyMs={latencyMs} />
        <td>{spec !== undefined && <Authority spec={spec} />}</td>
      </tr>
      {servers.map((server) => (
        <ServerRow
          key={server.cluster}
          server={server}
          told={told?.servers.find(({ cluster }) => cluster === server.cluster)}
        />
      ))}
    </tbody>
  );
}

function MadeOf({ spec: { protocol, strategy = "Ordered", servers, tls } }: { readonly spec: Spec }) {
  return (
    <p class="quiet">
      {protocol}
      {servers.length > 1 ? `, ${strategy}` : ""}
      {tls?.pins === undefined ? "" : `, ${tls.pins.length} pins`}
    </p>
  );
}

/** The first to end of the authorities that are written in it. */
function Authority({ spec: { tls } }: { readonly spec: Spec }) {
  const [first] = expiriesIn(tls?.ca ?? "").sort((a, b) => a.getTime() - b.getTime());
  return first === undefined ? null : <ValidUntil what="authority" until={first} />;
}
