/**
 * Upstreams: what each is made of, how much goes there, how it answers, and until when its authorities are valid.
 */
import "../style/upstreams.css";
import { parseDocument } from "yaml";
import type { UpstreamSummary, Upstreams } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { resources } from "../api/service.ts";
import { paceOf, SpanHead, telemetryPath, useSpan } from "../parts/span.tsx";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatDay, formatLatency, formatShare } from "../text/words.ts";
import { expiriesIn } from "./certificate-expiry.ts";

interface Server {
  readonly address: string;
  readonly port?: number;
  readonly serverName?: string;
  readonly priority?: number;
}

/** As it is written. */
interface Spec {
  readonly protocol: string;
  readonly strategy?: string;
  readonly servers: readonly Server[];
  readonly tls?: { readonly ca?: string; readonly pins?: readonly string[]; readonly minimumVersion?: string };
}

const SOON_MS = 30 * 86_400_000;

export function UpstreamsView() {
  const span = useSpan();
  const { value, trouble } = useFollowed<Upstreams>(telemetryPath("upstreams", span), paceOf(span.window));
  const told = value.value?.upstreams ?? [];
  const written = (resources.value?.resources ?? []).filter(({ kind }) => kind === "Upstream");
  const gone = told.filter(({ upstream }) => !written.some(({ name }) => name === upstream));
  return (
    <div class="stack">
      <SpanHead title="Upstreams" span={span} trouble={trouble.value} />
      <section class="wide" aria-label="Upstreams" tabIndex={0}>
        <table class="upstreams">
          <caption class="unseen">How upstreams answer, in the order of their names</caption>
          <thead>
            <tr>
              <th>Upstream</th>
              <th>Servers</th>
              <th class="number">Queries</th>
              <th class="number">Share</th>
              <th class="number">Failed</th>
              <th class="number">Stale instead</th>
              <th class="number">p50</th>
              <th class="number">p90</th>
              <th class="number">p99</th>
              <th class="number">Longest</th>
            </tr>
          </thead>
          <tbody>
            {written.map(({ name, text }) => (
              <Row key={name} name={name} spec={specOf(text)} told={told.find(({ upstream }) => upstream === name)} />
            ))}
            {gone.map((summary) => (
              <Row key={summary.upstream} name={summary.upstream} spec={undefined} told={summary} />
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}

function specOf(text: string): Spec | undefined {
  return (parseDocument(text).toJS() as { readonly spec?: Spec } | null)?.spec;
}

interface RowProps {
  readonly name: string;
  /** Undefined for one that is no longer there. */
  readonly spec: Spec | undefined;
  readonly told: UpstreamSummary | undefined;
}

function Row({ name, spec, told }: RowProps) {
  const { queries = 0, failed = 0, stale = 0, share = 0, latencyMs } = told ?? {};
  const latency = (of: "p50" | "p90" | "p99" | "max") => (latencyMs === undefined ? "–" : formatLatency(latencyMs[of]));
  return (
    <tr>
      <th scope="row">
        {spec === undefined ? (
          <>
            {name} <span class="quiet">not there any more</span>
          </>
        ) : (
          <a href={linkTo(["policies", "set", "Upstream", name])}>{name}</a>
        )}
        {spec !== undefined && <MadeOf spec={spec} />}
      </th>
      <td>
        <ul>
          {spec?.servers.map((server) => (
            <li key={`${server.address} ${server.port}`}>
              <span class="mono">
                {server.address}
                {server.port === undefined ? "" : `, port ${server.port}`}
              </span>
              {server.serverName !== undefined && <span class="quiet"> as {server.serverName}</span>}
              {server.priority !== undefined && <span class="quiet">, priority {server.priority}</span>}
            </li>
          ))}
        </ul>
      </td>
      <td class="number">{formatCount(queries)}</td>
      <td class="number">
        <meter min="0" max="1" value={share} aria-label={`Share of ${name}`} /> {formatShare(share)}
      </td>
      <td class={failed > 0 ? "number bad" : "number"}>
        {formatCount(failed)} <span class="quiet">{queries === 0 ? "" : formatShare(failed / queries)}</span>
      </td>
      <td class={stale > 0 ? "number warn" : "number"}>{formatCount(stale)}</td>
      <td class="number">{latency("p50")}</td>
      <td class="number">{latency("p90")}</td>
      <td class="number">{latency("p99")}</td>
      <td class="number">{latency("max")}</td>
    </tr>
  );
}

function MadeOf({ spec: { protocol, strategy = "Ordered", servers, tls } }: { readonly spec: Spec }) {
  const [first] = expiriesIn(tls?.ca ?? "").sort((a, b) => a.getTime() - b.getTime());
  const left = first === undefined ? undefined : first.getTime() - Date.now();
  return (
    <p class="quiet">
      {protocol}
      {servers.length > 1 ? `, ${strategy}` : ""}
      {tls?.pins === undefined ? "" : `, ${tls.pins.length} pins`}
      {first !== undefined && left !== undefined && (
        <span class={left < 0 ? "bad" : left < SOON_MS ? "warn" : ""}>
          , its authority {left < 0 ? "was" : "is"} valid until {formatDay(first)}
        </span>
      )}
    </p>
  );
}
