/**
 * The commands that look at a running service: get, status; and drain, which tells its workers.
 */
import { formatProblem } from "../resources/problem.ts";
import type { StatusDescription, WorkerDescription } from "../server/admin/status.ts";
import { ask, askJson, type ClientOptions, parseReply, resourcePath } from "./ask.ts";
import type { Context } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { count, type Output, print } from "./output.ts";

export async function runGet(
  context: Context,
  kind: string | undefined,
  name: string | undefined,
  options: ClientOptions,
): Promise<ExitCode> {
  if (kind !== undefined && name !== undefined) {
    const reply = await ask(context, options, { method: "GET", path: resourcePath(kind, name) });
    context.stdout.write(reply.text);
    return ExitCode.OK;
  }
  const { resources } = await askJson<{ resources: { kind: string; name: string; text: string }[] }>(
    context,
    options,
    "/v1/resources",
  );
  for (const resource of resources) {
    if (kind !== undefined && resource.kind !== kind) continue;
    context.stdout.write(`---\n${resource.text}${resource.text.endsWith("\n") ? "" : "\n"}`);
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
  const { mode, directory, sequence, hash, warnings, problems, workers, envoys } = status;
  const revision = sequence === 0 ? "no policy" : `revision ${sequence} (${hash})`;
  const source = mode === "watch" ? `read from ${directory}, read-only` : `kept in ${directory}`;
  return [
    `${revision}, ${source}`,
    ...problems.map((problem) => `held back: ${formatProblem(problem)}`),
    ...warnings.map((problem) => `warning: ${formatProblem(problem)}`),
    `${count(workers.connected, "worker")} connected`,
    ...workers.behind.map((worker) => `behind: ${describeBehind(worker)}`),
    `${count(envoys.length, "Envoy")} connected`,
    ...envoys
      .filter(({ rejected }) => rejected !== "")
      .map(({ node, rejected }) => `Envoy ${node} rejected: ${rejected}`),
  ];
}

export function describeBehind({ node, process, worker, acknowledged, until }: WorkerDescription): string {
  const at = acknowledged === 0 ? "none yet" : `revision ${acknowledged}`;
  const state = until === undefined ? "connected" : `away, behind until ${until}`;
  return `worker ${worker} of ${node} (process ${process}): ${at}, ${state}`;
}
