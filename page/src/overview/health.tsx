/**
 * Who is well: workers by Envoy, Envoys that reject clusters, resources that wait, lists of names, the mesh, and what goes
 * through all that.
 */
import type { NodeDescription, StatusDescription } from "../../../extproc/server/admin/status.ts";
import { status } from "../api/service.ts";
import { linkTo } from "../shell/route.ts";
import { formatCount, formatDate, plural, shortVersion } from "../text/words.ts";
import { Item } from "./health-item.tsx";
import { TrafficHealth } from "./traffic-health.tsx";

export function Health() {
  const now = status.value.value;
  return (
    <section aria-label="Health">
      <h2>Health</h2>
      <ul class="health">
        {now !== undefined && <OfService now={now} />}
        <TrafficHealth />
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
      {mesh.health.checked > 0 && <Endpoints {...mesh.health} />}
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

function Endpoints({ checked, ill, illEndpoints }: StatusDescription["mesh"]["health"]) {
  if (ill === 0) return <Item grade="good">Endpoints that are looked after: all {formatCount(checked)} are well</Item>;
  return (
    <Item grade={ill === checked ? "bad" : "warn"}>
      {formatCount(ill)} of {plural(checked, "endpoint")} that are looked after are ill:{" "}
      {illEndpoints.map(({ check, address, owners }) => (
        <span key={`${check} ${address}`} class="ill" title={owners.join(", ")}>
          <span class="mono">{address}</span> ({check}){" "}
        </span>
      ))}
    </Item>
  );
}
