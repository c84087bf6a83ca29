/**
 * /v1/history and /v1/rollback: the versions that there were, and going back to one.
 */

import { readApplyOptions, reply } from "./change.ts";
import type { AdminRequest, Reply } from "./exchange.ts";
import { entityTag, readVersion } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

export function listVersions({ control }: AdminRequest): Reply {
  const sequence = control.stored;
  return { status: 200, body: { sequence, versions: historyOf(control.versions()) }, headers: entityTag(sequence) };
}

export async function getVersion({ control, variables }: AdminRequest): Promise<Reply> {
  const [number = ""] = variables;
  const versions = historyOf(control.versions());
  const content = await control.version(readVersion(number));
  if (content === undefined) {
    const expected = `a version from ${versions.at(-1)?.sequence} to ${versions[0]?.sequence}`;
    throw new HttpError(404, `expected ${expected}, got ${number}`);
  }
  const { version, resources } = content;
  return { status: 200, body: { ...version, resources } };
}

export async function rollBack(request: AdminRequest): Promise<Reply> {
  const { control, query } = request;
  const version = readVersion(query.get("version") ?? "");
  return reply(request, control.rollback(version, readApplyOptions(request)));
}

function historyOf<T>(versions: T | undefined): T {
  if (versions !== undefined) return versions;
  throw new HttpError(404, "expected a service that keeps versions, got one that reads its policy from a directory");
}
