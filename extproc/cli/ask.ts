/**
 * A command's questions to the service: options that all have, and replies that are JSON or an error.
 */
import { readFile } from "node:fs/promises";
import { formatProblem, type Problem } from "../resources/problem.ts";
import { type AdminCall, AdminClient, type AdminReply, type ClientTls } from "./admin-client.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

export interface ClientOptions {
  readonly server: string;
  readonly token?: string | undefined;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** For who cannot wait as long as a change of policy may take. */
  readonly timeoutMs?: number;
}

/** A CommandError for anything but success. */
export async function ask(context: Context, options: ClientOptions, call: AdminCall): Promise<AdminReply> {
  const { server, token, timeoutMs } = options;
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  const client = new AdminClient({ server, token, tls: await readTls(options), ...timeout });
  return expectSuccess(context, await client.call(call));
}

/** What comes of a path that never ends, as text, until the signal. */
export async function openStream(
  context: Context,
  options: ClientOptions,
  path: string,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { server, token } = options;
  const client = new AdminClient({ server, token, tls: await readTls(options) });
  const reply = await client.stream({ path, onText, signal });
  if (reply !== undefined) expectSuccess(context, reply);
}

async function readTls({ tlsCa, tlsCert, tlsKey }: ClientOptions): Promise<ClientTls> {
  const read = async (path: string | undefined) => {
    try {
      return path === undefined ? undefined : await readFile(path);
    } catch (error) {
      throw new CommandError(ExitCode.USAGE, `cannot read ${path}: ${(error as Error).message}`);
    }
  };
  return { ca: await read(tlsCa), cert: await read(tlsCert), key: await read(tlsKey) };
}

export async function askJson<T>(context: Context, options: ClientOptions, path: string): Promise<T> {
  return parseReply<T>(await ask(context, options, { method: "GET", path, headers: { accept: "application/json" } }));
}

export function parseReply<T>({ text }: AdminReply): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new CommandError(ExitCode.FAILED, "expected JSON of the policy service, got another answer");
  }
}

export function resourcePath(kind: string, name: string): string {
  return `/v1/resources/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
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
  throw new CommandError(reply.status === 412 ? ExitCode.STALE : ExitCode.FAILED, message);
}
