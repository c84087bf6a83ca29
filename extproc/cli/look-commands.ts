/**
 * The commands that look at a running service: get, status; and drain, which tells its workers.
 */
import type { ListStatus } from "../lists/followed-list.ts";
import type { CatalogStatus } from "../mesh/catalogs/catalog.ts";
import { formatProblem } from "../resources/problem.ts";
import type { NodeDescription, PendingResource, StatusDescription, WorkerDescription } from "../server/admin/status.ts";
import type { ObservedResource } from "../server/resource-status.ts";
import { ask, askJson, type ClientOptions, parseReply, resourcePath } from "./ask.ts";
import type { Context } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { formatAuthor } from "./history-commands.ts";
import { resourceTable, toObservedObject, toObservedYaml } from "./observed-resource.ts";
import { count, type Output, print } from "./output.ts";

/** As they were written; or with what the service says of them. */
export async function runGet(
  context: Context,
  kind: string | undefined,
  name: string | undefined,
  options: ClientOptions & { readonly output?: Output | "source" },
): Promise<ExitCode> {
  const { output = "source" } = options;
  const single = kind !== undefined && name !== undefined;
  const resources = single
    ? [await askJson<ObservedResource>(context, options, resourcePath(kind, name))]
    : (
        await askJson<{ resources: ObservedResource[] }>(
          context,
          options,
          kind === undefined ? "/v1/resources" : `/v1/resources?kind=${encodeURIComponent(kind)}`,
        )
      ).resources;
  const documents = (texts: readonly string[]) => texts.map((text) => (single ? text : `---\n${text}`)).join("");
  if (output === "source") context.stdout.write(documents(resources.map(({ text }) => text)));
  else if (output === "yaml") context.stdout.write(documents(resources.map(toObservedYaml)));
  else {
    const objects = resources.map(toObservedObject);
    print(context, output, single ? objects[0] : objects, () => resourceTable(resources));
  }
  return ExitCode.OK;
}

export async function runStatus(
  context: Context,
  options: ClientOptions & { readonly json?: boolean; readonly output?: Output },
): Promise<ExitCode> {
  const status = await askJson<StatusDescription>(context, options, "/v1/status");
  const output = options.json === true ? "json" : options.output;
  print(context, output, status, () => `${statusLines(status).join("\n")}\n`);
  return status.workers.behind.length === 0 ? ExitCode.OK : ExitCode.BEHIND;
}

export async function runDrain(
  context: Context,
  options: ClientOptions & { readonly node?: string | undefined },
): Promise<ExitCode> {
  const query = options.node === undefined ? "" : `?node=${encodeURIComponent(options.node)}`;
  const { told } = parseReply<{ told: number }>(
    await ask(context, options, { method: "POST", path: `/v1/drain${query}` }),
  );
  context.stdout.write(`${count(told, "worker")} told\n`);
  return ExitCode.OK;
}

function statusLines(status: StatusDescription): string[] {
  const { mode, directory, sequence, hash, warnings, problems, workers, envoys, author, reason } = status;
  const revision = sequence === 0 ? "no policy" : `revision ${sequence} (${hash})`;
  const source = mode === "watch" ? `read from ${directory}, read-only` : `kept in ${directory}`;
  return [
    `${revision}, ${source}`,
    ...(author === undefined ? [] : [`by ${formatAuthor(author)}, ${status.time}${reason ? `: ${reason}` : ""}`]),
    ...problems.map((problem) => `held back: ${formatProblem(problem)}`),
    ...warnings.map((problem) => `warning: ${formatProblem(problem)}`),
    ...status.resources.map(({ kind, count: all, programmed }) => `${kind}: ${programmed} of ${all} programmed`),
    ...status.pending.map((pending) => `pending: ${describePending(pending)}`),
    `${count(workers.connected, "worker")} connected`,
    ...workers.nodes.map(describeNode),
    ...workers.behind.map((worker) => `behind: ${describeBehind(worker)}`),
    ...status.lists.map(describeList),
    ...describeMesh(status.mesh),
    `${count(envoys.length, "Envoy")} connected`,
    ...envoys
      .filter(({ rejected }) => rejected !== "")
      .map(({ node, rejected }) => `Envoy ${node} rejected: ${rejected}`),
  ];
}

function describeMesh({ objects, names, sources, virtualAddresses, health }: StatusDescription["mesh"]): string[] {
  if (objects + sources.length === 0) return [];
  const { size, used, quarantined, without } = virtualAddresses;
  const lines = [`mesh: ${count(objects, "object")}, ${count(names, "name")}`, ...sources.map(describeSource)];
  if (size > 0) lines.push(`virtual addresses: ${used} of ${size} in use, ${quarantined} in quarantine`);
  if (without > 0) lines.push(`virtual addresses: ${count(without, "host")} without one`);
  if (health.checked > 0) lines.push(`endpoints that are looked after: ${health.ill} of ${health.checked} ill`);
  return lines;
}

function describeSource({ name, names, serial, refreshed, error }: CatalogStatus): string {
  const parts = [
    count(names, "name"),
    ...(serial === undefined ? [] : [`serial ${serial}`]),
    refreshed === undefined ? "never read" : `read ${refreshed}`,
    ...(error === "" ? [] : [error]),
  ];
  return `source ${name}: ${parts.join(", ")}`;
}

function describeList({ name, names, exceptions, left, serial, refreshed, error }: ListStatus): string {
  const parts = [
    count(names, "name"),
    ...(exceptions === 0 ? [] : [count(exceptions, "exception")]),
    ...(left === 0 ? [] : [`${count(left, "line")} left out`]),
    ...(serial === undefined ? [] : [`serial ${serial}`]),
    refreshed === undefined ? "never read" : `read ${refreshed}`,
    ...(error === "" ? [] : [error]),
  ];
  return `list ${name}: ${parts.join(", ")}`;
}

function describePending({ kind, name, generation, message }: PendingResource): string {
  return `${kind}/${name}, generation ${generation}: ${message}`;
}

function describeNode({ node, process, workers, connected, acknowledged }: NodeDescription): string {
  const at = acknowledged === 0 ? "no revision yet" : `revision ${acknowledged} or later`;
  return `${node} (process ${process}): ${connected} of ${count(workers, "worker")} connected, ${at}`;
}

export function describeBehind(description: WorkerDescription): string {
  const { node, process, worker, acknowledged, connected, until } = description;
  const at = acknowledged === 0 ? "none yet" : `revision ${acknowledged}`;
  const away = until === undefined ? "away" : `away, behind until ${until}`;
  const where = process === "" ? "at another service" : `process ${process}`;
  return `worker ${worker} of ${node} (${where}): ${at}, ${connected ? "connected" : away}`;
}
