/**
 * The commands that ask a running service: apply, delete, get, status, drain.
 */
import type { Problem } from "../resources/problem.ts";
import { formatProblem } from "../resources/problem.ts";
import type { ApplyDescription, StatusDescription, WorkerDescription } from "../server/admin/status.ts";
import { AdminClient, type AdminReply } from "./admin-client.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { encodeMultipart, readSourceFiles } from "./sources.ts";

export interface ClientOptions {
  readonly server: string;
  readonly token?: string | undefined;
}

export interface ApplyOptions extends ClientOptions {
  readonly filename: readonly string[];
  readonly prune?: boolean;
  readonly dryRun?: boolean;
}

export async function runApply(context: Context, options: ApplyOptions): Promise<ExitCode> {
  const files = await readSourceFiles(options.filename, context.readStdin);
  const { type, body } = encodeMultipart(files);
  const query = `prune=${options.prune === true}&dryRun=${options.dryRun === true}`;
  const reply = await client(options).call({
    method: "PUT",
    path: `/v1/resources?${query}`,
    headers: { "content-type": type },
    body,
  });
  return reportApplied(context, reply, options.dryRun === true);
}

export async function runDelete(
  context: Context,
  kind: string,
  name: string,
  options: ClientOptions & { readonly dryRun?: boolean },
): Promise<ExitCode> {
  const path = `${resourcePath(kind, name)}?dryRun=${options.dryRun === true}`;
  const reply = await client(options).call({ method: "DELETE", path });
  return reportApplied(context, reply, options.dryRun === true);
}

export async function runGet(
  context: Context,
  kind: string | undefined,
  name: string | undefined,
  options: ClientOptions,
): Promise<ExitCode> {
  if (kind !== undefined && name !== undefined) {
    const reply = await client(options).call({ method: "GET", path: resourcePath(kind, name) });
    context.stdout.write(expectSuccess(context, reply).text);
    return ExitCode.OK;
  }
  const headers = { accept: "application/json" };
  const reply = await client(options).call({ method: "GET", path: "/v1/resources", headers });
  const { resources } = parseReply<{ resources: { kind: string; name: string; text: string }[] }>(
    expectSuccess(context, reply),
  );
  for (const resource of resources) {
    if (kind !== undefined && resource.kind !== kind) continue;
    context.stdout.write(`---\n${resource.text}${resource.text.endsWith("\n") ? "" : "\n"}`);
  }
  return ExitCode.OK;
}

export async function runStatus(
  context: Context,
  options: ClientOptions & { readonly json?: boolean },
): Promise<ExitCode> {
  const admin = client(options);
  const reply = expectSuccess(context, await admin.call({ method: "GET", path: "/v1/status" }));
  const status = parseReply<StatusDescription>(reply);
  if (options.json === true) context.stdout.write(reply.text);
  else context.stdout.write(`${statusLines(status).join("\n")}\n`);
  return status.workers.behind.length === 0 ? ExitCode.OK : ExitCode.BEHIND;
}

export async function runDrain(
  context: Context,
  options: ClientOptions & { readonly node?: string | undefined },
): Promise<ExitCode> {
  const query = options.node === undefined ? "" : `?node=${encodeURIComponent(options.node)}`;
  const reply = await client(options).call({ method: "POST", path: `/v1/drain${query}` });
  const { told } = parseReply<{ told: number }>(expectSuccess(context, reply));
  context.stdout.write(`${count(told, "worker")} told\n`);
  return ExitCode.OK;
}

function client(options: ClientOptions): AdminClient {
  return new AdminClient({ server: options.server, token: options.token });
}

function resourcePath(kind: string, name: string): string {
  return `/v1/resources/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
}

function reportApplied(context: Context, reply: AdminReply, dryRun: boolean): ExitCode {
  const applied = parseReply<ApplyDescription>(expectSuccess(context, reply));
  for (const warning of applied.warnings) context.stderr.write(`warning: ${formatProblem(warning)}\n`);
  for (const { kind, name, change } of applied.changes) {
    if (change !== "unchanged") context.stdout.write(`${kind}/${name} ${change}\n`);
  }
  if (dryRun) {
    context.stdout.write(applied.changed ? "valid; nothing was changed\n" : "valid, and nothing would change\n");
    return ExitCode.OK;
  }
  for (const { node, rejected } of applied.envoys) {
    if (rejected !== "") context.stderr.write(`warning: Envoy ${node} has rejected its clusters: ${rejected}\n`);
  }
  const { acknowledged, behind } = applied.workers;
  const state = applied.changed ? "in force" : "in force as before";
  context.stdout.write(`revision ${applied.sequence} ${state}, acknowledged by ${count(acknowledged, "worker")}\n`);
  for (const worker of behind) context.stderr.write(`behind: ${describeBehind(worker)}\n`);
  return behind.length === 0 ? ExitCode.OK : ExitCode.BEHIND;
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

function describeBehind({ node, process, worker, acknowledged, until }: WorkerDescription): string {
  const at = acknowledged === 0 ? "none yet" : `revision ${acknowledged}`;
  const state = until === undefined ? "connected" : `away, behind until ${until}`;
  return `worker ${worker} of ${node} (process ${process}): ${at}, ${state}`;
}

function expectSuccess(context: Context, reply: AdminReply): AdminReply {
  if (reply.status < 300) return reply;
  let message = `status ${reply.status}`;
  try {
    const { error, problems, warnings } = parseReply<{ error: string; problems: Problem[]; warnings: Problem[] }>(
      reply,
    );
    message = error;
    for (const warning of warnings) context.stderr.write(`warning: ${formatProblem(warning)}\n`);
    for (const problem of problems) context.stderr.write(`${formatProblem(problem)}\n`);
  } catch {
    // Something else than our service has answered: its status says what there is to say.
  }
  throw new CommandError(ExitCode.FAILED, message);
}

function parseReply<T>({ text }: AdminReply): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CommandError(ExitCode.FAILED, "expected JSON of the policy service, got another answer");
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
