/**
 * The commands that change the policy: apply, delete, rollback.
 */
import { formatProblem } from "../resources/problem.ts";
import type { ApplyDescription } from "../server/admin/status.ts";
import type { AdminCall } from "./admin-client.ts";
import { ask, type ClientOptions, parseReply, resourcePath } from "./ask.ts";
import type { Context } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { describeBehind } from "./look-commands.ts";
import { count, type Output, print } from "./output.ts";
import { encodeMultipart, readSourceFiles } from "./sources.ts";
import { resolveVersion } from "./version-reference.ts";

export interface ChangeOptions extends ClientOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
  readonly ifVersion?: string;
  readonly output?: Output;
}

export interface ApplyOptions extends ChangeOptions {
  readonly filename: readonly string[];
  readonly prune?: boolean;
}

export async function runApply(context: Context, options: ApplyOptions): Promise<ExitCode> {
  const { type, body } = encodeMultipart(await readSourceFiles(options.filename, context.readStdin));
  const query = new URLSearchParams({ prune: String(options.prune === true) });
  return change(context, options, query, {
    method: "PUT",
    path: "/v1/resources",
    headers: { "content-type": type },
    body,
  });
}

export async function runDelete(
  context: Context,
  kind: string,
  name: string,
  options: ChangeOptions,
): Promise<ExitCode> {
  return change(context, options, new URLSearchParams(), { method: "DELETE", path: resourcePath(kind, name) });
}

export async function runRollback(context: Context, version: string, options: ChangeOptions): Promise<ExitCode> {
  const query = new URLSearchParams({ version: String(await resolveVersion(context, options, version)) });
  return change(context, options, query, { method: "POST", path: "/v1/rollback" });
}

async function change(
  context: Context,
  options: ChangeOptions,
  query: URLSearchParams,
  call: AdminCall,
): Promise<ExitCode> {
  const { dryRun = false, reason = "", ifVersion, output } = options;
  query.set("dryRun", String(dryRun));
  if (reason !== "") query.set("reason", reason);
  // Counts only where the way in does not say who we are.
  query.set("author", context.userName);
  const headers = { ...call.headers };
  if (ifVersion !== undefined) headers["if-match"] = `"${await resolveVersion(context, options, ifVersion)}"`;
  const reply = await ask(context, options, { ...call, path: `${call.path}?${query}`, headers });
  const applied = parseReply<ApplyDescription>(reply);
  for (const warning of applied.warnings) context.stderr.write(`warning: ${formatProblem(warning)}\n`);
  for (const { node, rejected } of applied.envoys) {
    if (rejected !== "") context.stderr.write(`warning: Envoy ${node} has rejected its clusters: ${rejected}\n`);
  }
  print(context, output, applied, () => (dryRun ? describeDryRun(applied) : describeApplied(applied)));
  for (const worker of applied.workers.behind) context.stderr.write(`behind: ${describeBehind(worker)}\n`);
  return applied.workers.behind.length === 0 ? ExitCode.OK : ExitCode.BEHIND;
}

function describeDryRun(applied: ApplyDescription): string {
  const diffs = applied.differences.map(({ diff }) => diff).join("");
  const verdict = applied.changed ? "valid; nothing was changed" : "valid, and nothing would change";
  return `${diffs}${describeChanges(applied)}${verdict}\n`;
}

function describeApplied(applied: ApplyDescription): string {
  const state = applied.changed ? "in force" : "in force as before";
  const acknowledged = count(applied.workers.acknowledged, "worker");
  return `${describeChanges(applied)}revision ${applied.sequence} ${state}, acknowledged by ${acknowledged}\n`;
}

function describeChanges({ changes }: ApplyDescription): string {
  const changed = changes.filter(({ change }) => change !== "unchanged");
  return changed.map(({ kind, name, change }) => `${kind}/${name} ${change}\n`).join("");
}
