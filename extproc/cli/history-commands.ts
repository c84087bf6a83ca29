/**
 * The commands that look at versions: history, diff.
 */
import { findDifferences, type ResourceText } from "../resources/difference.ts";
import type { Author, Version } from "../store/version.ts";
import { askJson, type ClientOptions } from "./ask.ts";
import type { Context } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { formatTable, type Output, print } from "./output.ts";
import { type HistoryReply, resolveVersion } from "./version-reference.ts";

interface OutputOptions extends ClientOptions {
  readonly output?: Output;
}

export async function runHistory(context: Context, options: OutputOptions): Promise<ExitCode> {
  const { versions } = await askJson<HistoryReply>(context, options, "/v1/history");
  print(context, options.output, versions, () =>
    formatTable(["VERSION", "HASH", "TIME", "AUTHOR", "CHANGES", "REASON"], versions.map(toRow)),
  );
  return ExitCode.OK;
}

/** Without a second version, against what is in force. */
export async function runDiff(
  context: Context,
  from: string,
  to: string | undefined,
  options: OutputOptions,
): Promise<ExitCode> {
  const read = async (version: string): Promise<readonly ResourceText[]> => {
    const path = `/v1/history/${await resolveVersion(context, options, version)}`;
    return (await askJson<{ resources: ResourceText[] }>(context, options, path)).resources;
  };
  const inForce = async () =>
    (await askJson<{ resources: ResourceText[] }>(context, options, "/v1/resources")).resources;
  const differences = findDifferences(await read(from), to === undefined ? await inForce() : await read(to));
  print(context, options.output, differences, () => differences.map(({ diff }) => diff).join(""));
  return ExitCode.OK;
}

function toRow({ sequence, hash, time, author, reason, restores, counts }: Version): string[] {
  const changes = counts === undefined ? "" : `+${counts.created} ~${counts.updated} -${counts.deleted}`;
  const restored = restores === undefined ? "" : `back to ${restores}`;
  return [
    String(sequence),
    hash,
    time,
    formatAuthor(author),
    changes,
    [restored, reason].filter((part) => part !== "").join(": "),
  ];
}

/** A name that nobody has checked is told apart. */
export function formatAuthor({ name, by }: Author): string {
  return by === "claim" ? `${name} (claimed)` : name;
}
