/**
 * Who is well: workers by Envoy, upstreams, Envoys that reject clusters, resources that wait, names of the mesh.
 */
import type { NodeDescription, StatusDescription } from "../../../extproc/server/admin/status.ts";
import type { UpstreamSummary, Upstreams } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { status } from "../api/service.ts";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatLatency, formatShare, plural, shortVersion } from "../text/words.ts";

/** An upstream that fails more often than this is not well. */
const MUCH = 0.01;

type Grade = "good" | "warn" | "bad";
const SIGNS: Readonly<Record<Grade, string>> = { good: "✓", warn: "!", bad: "✗" };
const WORDS: Readonly<Record<Grade, string>> = { good: "well", warn: "to be looked at", bad: "not well" };

export function Health() {
  const { value } = useFollowed<Upstreams>("/v1/telemetry/upstreams?window=15m", 5000);
  const now = status.value.value;
  return (
    <section aria-label="Health">
      <h2>Health</h2>
      <ul class="health">
        {now !== undefined && <OfService now={now} />}
        {value.value?.upstreams.map((upstream) => (
          <Upstream key={upstream.upstream} {...upstream} />
        ))}
      </ul>
    </section>
  );
}

function OfService({ now }: { readonly now: StatusDescription }) {
  const { workers, envoys, pending, mesh, sequence } = now;
  return (
    <>
      {workers.nodes.length === 0 && <Item grade="bad">No worker is known: nobody is asking this service.</Item>}
      {workers.nodes.map((node) => (
        <Node key={`${node.process}/${node.node}`} node={node} sequence={sequence} />
      ))}
      {envoys
        .filter(({ rejected }) => rejected !== "")
        .map(({ node, rejected }) => (
          <Item key={node} grade="bad">
            Envoy <bdi>{node}</bdi> rejects clusters: <bdi>{rejected}</bdi>
          </Item>
        ))}
      {pending.map(({ kind, name, message }) => (
        <Item key={`${kind}/${name}`} grade="warn">
          <a href={linkTo(["policies", "set", kind, name])}>
            {kind}/{name}
          </a>
          : <bdi>{message}</bdi>
        </Item>
      ))}
      {mesh.objects > 0 && (
        <Item grade="good">
          The mesh: {plural(mesh.objects, "object")}, {plural(mesh.names, "name")}
        </Item>
      )}
    </>
  );
}

function Node({ node, sequence }: { readonly node: NodeDescription; readonly sequence: number }) {
  const { node: name, workers, connected, acknowledged } = node;
  const grade = connected === 0 ? "bad" : connected < workers || acknowledged < sequence ? "warn" : "good";
  return (
    <Item grade={grade}>
      Envoy <bdi>{name}</bdi>: {formatCount(connected)} of {plural(workers, "worker")} connected,{" "}
      {acknowledged < sequence ? "behind at" : "at"} version <span class="mono">{shortVersion(acknowledged)}</span>
    </Item>
  );
}

function Upstream({ upstream, queries, failed, latencyMs }: UpstreamSummary) {
  const share = failed / queries;
  return (
    <Item grade={share > 0.5 ? "bad" : share > MUCH ? "warn" : "good"}>
      Upstream <a href={linkTo(["upstreams"])}>{upstream}</a>: {plural(queries, "query", "queries")}
      {failed > 0 ? `, ${formatShare(share)} failed` : ""}
      {latencyMs === undefined ? "" : `, p50 ${formatLatency(latencyMs.p50)}, p99 ${formatLatency(latencyMs.p99)}`}
    </Item>
  );
}

function Item({ grade, children }: { readonly grade: Grade; readonly children: preact.ComponentChildren }) {
  return (
    <li>
      <span class={grade} aria-hidden="true">
        {SIGNS[grade]}
      </span>
      <span class="unseen">{WORDS[grade]}: </span>
      <span>{children}</span>
    </li>
  );
}
