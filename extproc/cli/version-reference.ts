/**
 * How people name a version: by its number, or as `~2`, two before the one in force.
 */
import type { Version } from "../store/version.ts";
import { askJson, type ClientOptions } from "./ask.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";

/** As GET /v1/history has them. */
export interface HistoryReply {
  readonly sequence: number;
  /** Newest first. */
  readonly versions: readonly Version[];
}

export async function resolveVersion(context: Context, options: ClientOptions, text: string): Promise<number> {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const back = /^~(\d{0,3})$/.exec(text)?.[1];
  if (back === undefined) {
    throw new CommandError(ExitCode.USAGE, `expected the number of a version, or ~1 for the one before, got ${text}`);
  }
  const { versions } = await askJson<HistoryReply>(context, options, "/v1/history");
  const version = versions[back === "" ? 1 : Number(back)];
  if (version === undefined) throw new CommandError(ExitCode.FAILED, `expected ${text} of ${versions.length} versions`);
  return version.sequence;
}
