/**
 * Who is well: workers by Envoy, upstreams, Envoys that reject clusters, resources that wait, lists of names, the mesh.
 */
import type { NodeDescription, StatusDescription } from "../../../extproc/server/admin/status.ts";
import type { UpstreamSummary, Upstreams } from "../../../extproc/telemetry/questions.ts";
import { useFollowed } from "../api/follow.ts";
import { status } from "../api/service.ts";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatDate, formatLatency, formatShare, plural, shortVersion } from "../text/words.ts";

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
  const { workers, envoys, pending, mesh, lists, revision } = now;
  return (
    <>
      {workers.nodes.length === 0 && <Item grade="bad">No worker is known: nobody is asking this service.</Item>}
      {workers.nodes.map((node) => (
        <Node key={`${node.process}/${node.node}`} node={node} revision={revision} />
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
      {lists.map((list) => (
        <List key={list.name} {...list} />
      ))}
      {mesh.objects > 0 && (
        <Item grade="good">
          The mesh: {plural(mesh.objects, "object")}, {plural(mesh.names, "name")}
        </Item>
      )}
      {mesh.sources.map((source) => (
        <Source key={source.name} {...source} />
      ))}
    </>
  );
}

function Node({ node, revision }: { readonly node: NodeDescription; readonly revision: number }) {
  const { node: name, workers, connected, acknowledged } = node;
  const grade = connected === 0 ? "bad" : connected < workers || acknowledged < revision ? "warn" : "good";
  return (
    <Item grade={grade}>
      Envoy <bdi>{name}</bdi>: {formatCount(connected)} of {plural(workers, "worker")} connected,{" "}
      {acknowledged < revision ? "behind at" : "at"} revision <span class="mono">{shortVersion(acknowledged)}</span>
    </Item>
  );
}

function List({ name, from, names, left, serial, refreshed, error }: StatusDescription["lists"][number]) {
  return (
    <Item grade={error !== "" ? "bad" : left > 0 ? "warn" : "good"}>
      List{" "}
      <a href={linkTo(["policies", "set", "NameList", name])}>
        <bdi>{name}</bdi>
      </a>
      : {plural(names, "name")} from <bdi class="mono">{from}</bdi>
      {serial === undefined ? "" : `, serial ${serial}`}
      {left === 0 ? "" : `, ${plural(left, "line")} left out`}
      {refreshed === undefined ? ", never read" : `, read ${formatDate(refreshed)}`}
      {error !== "" && (
        <span class="bad">
          : <bdi>{error}</bdi>
        </span>
      )}
    </Item>
  );
}

function Source({ name, from, names, serial, error }: StatusDescription["mesh"]["sources"][number]) {
  return (
    <Item grade={error === "" ? "good" : "bad"}>
      Source{" "}
      <a href={linkTo(["policies", "set", "MeshSource", name])}>
        <bdi>{name}</bdi>
      </a>
      : {plural(names, "name")} from <bdi class="mono">{from}</bdi>
      {serial === undefined ? "" : `, serial ${serial}`}
      {error !== "" && (
        <span class="bad">
          : <bdi>{error}</bdi>
        </span>
      )}
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
