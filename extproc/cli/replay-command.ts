/**
 * `dnspolicy replay`: a recorded query log against a candidate set: what would change, by tenant and name.
 */
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { readRecordedQuery } from "../explain/recorded-query.ts";
import { describeEnding, type Ending, Replay } from "../explain/replay.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { count, formatTable, type Output, print } from "./output.ts";
import { readPolicyFiles } from "./policy-files.ts";

export interface ReplayOptions {
  readonly against: readonly string[];
  /** Policy files to compare with, instead of what was recorded. */
  readonly from?: readonly string[];
  readonly limit: string;
  readonly output?: Output;
}

interface Change {
  readonly tenant: string;
  readonly name: string;
  readonly type: string;
  readonly verdict: "changed" | "open";
  readonly before: Ending;
  readonly after: Ending;
  readonly chances: readonly Ending[];
  queries: number;
}

/** Changes that are told apart; the queries of further ones are counted. */
const MAX_CHANGES = 100_000;

/** Lines that cannot be read and are told one by one. */
const MAX_UNREADABLE = 10;

export async function runReplay(context: Context, log: string, options: ReplayOptions): Promise<ExitCode> {
  const limit = readLimit(options.limit);
  const against = await readPolicyFiles(context, options.against);
  const replay = new Replay(against, options.from && (await readPolicyFiles(context, options.from)));
  const tally = new Tally();
  let line = 0;
  for await (const text of readLines(context, log)) {
    line++;
    if (text.trim() === "") continue;
    const query = readRecordedQuery(text);
    if (typeof query === "string") {
      if (++tally.unreadable <= MAX_UNREADABLE) context.stderr.write(`${log}: line ${line}: ${query}\n`);
    } else if (query === undefined) tally.skipped++;
    else {
      tally.queries++;
      const { verdict, before, after, chances } = replay.replay(query);
      if (verdict !== "same") {
        const { name, type } = query;
        tally.add({ tenant: query.tenant, name, type, verdict, before, after, chances, queries: 1 });
      }
    }
  }
  if (tally.queries + tally.skipped === 0)
    throw new CommandError(ExitCode.FAILED, `expected queries in ${log}, got none`);
  for (const policy of replay.blindFor) {
    context.stderr.write(
      `warning: ${policy} asks for what a query log does not have: its clients are taken for others\n`,
    );
  }
  for (const rule of replay.passedBy) {
    context.stderr.write(`warning: response rule ${rule} asks for what a query log does not have: it is passed by\n`);
  }
  const changes = tally.changes;
  print(context, options.output, tally.toValue(), () =>
    describe(tally, limit === 0 ? changes : changes.slice(0, limit)),
  );
  return tally.changed === 0 ? ExitCode.OK : ExitCode.FAILED;
}

class Tally {
  readonly #changes = new Map<string, Change>();
  queries = 0;
  changed = 0;
  open = 0;
  /** Of no kind that a policy judges. */
  skipped = 0;
  unreadable = 0;
  /** Changed, and not told one by one. */
  untold = 0;

  add(change: Change): void {
    if (change.verdict === "changed") this.changed++;
    else this.open++;
    const { tenant, name, type, verdict, before, after } = change;
    const key = JSON.stringify([tenant, name, type, verdict, describeEnding(before), describeEnding(after)]);
    const known = this.#changes.get(key);
    if (known !== undefined) known.queries++;
    else if (this.#changes.size < MAX_CHANGES) this.#changes.set(key, change);
    else this.untold++;
  }

  /** By tenant; of each, most queries first. */
  get changes(): readonly Change[] {
    return [...this.#changes.values()].sort(
      (a, b) => a.tenant.localeCompare(b.tenant) || b.queries - a.queries || a.name.localeCompare(b.name),
    );
  }

  toValue() {
    const { queries, changed, open, skipped, unreadable, untold, changes } = this;
    return { queries, changed, open, skipped, unreadable, untold, changes };
  }
}

function describe(tally: Tally, changes: readonly Change[]): string {
  const rows = changes.map(({ tenant, name, type, queries, verdict, before, after, chances }) => {
    const becomes =
      verdict === "open"
        ? `${describeEnding(after)}, ${before.outcome === "deny" ? "if what its answer points to may" : "unless the mesh has it"}`
        : describeEnding(after);
    const moved = before.tenant === after.tenant || after.tenant === "" ? "" : `, as ${after.tenant}`;
    const chance = chances.map((one) => ` or by chance ${describeEnding(one)}`).join("");
    return [tenant || "-", name, type, String(queries), describeEnding(before), `${becomes}${chance}${moved}`];
  });
  const table =
    rows.length === 0 ? "" : `${formatTable(["TENANT", "NAME", "TYPE", "QUERIES", "WAS", "BECOMES"], rows)}`;
  const { queries, changed, open, skipped, unreadable } = tally;
  const more = tally.changes.length - changes.length;
  const parts = [
    `${count(queries, "query").replace("querys", "queries")} judged`,
    `${changed} would end otherwise`,
    ...(open > 0 ? [`${open} cannot be told`] : []),
    ...(skipped > 0 ? [`${skipped} that no policy judges`] : []),
    ...(unreadable > 0 ? [`${count(unreadable, "line")} not read`] : []),
  ];
  const untold = more > 0 ? `and ${more} more (--limit)\n` : "";
  return `${table}${untold}${table === "" ? "" : "\n"}${parts.join(", ")}\n`;
}

/** Of a file, also one that gzip has compressed; `-` is the standard input. */
async function* readLines(context: Context, path: string): AsyncGenerator<string> {
  try {
    let rest = "";
    for await (const text of openLog(context, path)) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    yield rest;
  } catch (error) {
    throw new CommandError(ExitCode.USAGE, `cannot read ${path}: ${(error as Error).message}`);
  }
}

function openLog(context: Context, path: string): AsyncIterable<string> {
  if (path === "-") return fromStdin(context);
  const file = createReadStream(path);
  // Whoever reads the last stream is told what went wrong with the first.
  const stream = path.endsWith(".gz") ? pipeline(file, createGunzip(), () => {}) : file;
  return stream.setEncoding("utf8");
}

async function* fromStdin(context: Context): AsyncGenerator<string> {
  yield (await context.readStdin()).toString("utf8");
}

function readLimit(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new CommandError(ExitCode.USAGE, `expected --limit as a whole number, got ${text}`);
}
