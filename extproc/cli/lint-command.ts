/**
 * `dnspolicy lint`: what of a valid policy deserves a second look: of files, or of what a service has in force, which
 * knows as well what has matched nothing for long.
 */
import type { Finding } from "../lint/finding.ts";
import { lint, withMatches } from "../lint/lint.ts";
import { lintMatches, tooSoon, type Watched } from "../lint/lint-matches.ts";
import { parseResources } from "../resources/parse.ts";
import { formatProblem } from "../resources/problem.ts";
import type { ObservedResource } from "../server/resource-status.ts";
import type { Overview, Rules } from "../telemetry/questions.ts";
import { askJson, type ClientOptions } from "./ask.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { count, type Output, print } from "./output.ts";
import { readPolicyFiles } from "./policy-files.ts";
import type { HistoryReply } from "./version-reference.ts";

export interface LintOptions extends ClientOptions {
  /** Instead of a service. */
  readonly filename?: readonly string[];
  readonly unmatchedDays: string;
  /** Warnings are failures. */
  readonly strict?: boolean;
  readonly output?: Output;
}

export async function runLint(context: Context, options: LintOptions): Promise<ExitCode> {
  const findings =
    options.filename === undefined ? await lintService(context, options) : await lintFiles(context, options.filename);
  const warnings = findings.filter(({ severity }) => severity === "warning").length;
  print(context, options.output, findings, () => {
    const lines = findings.map((one) => `${one.severity}: ${formatProblem(one)} [${one.kind}]\n`).join("");
    return `${lines}${count(warnings, "warning")}, ${count(findings.length - warnings, "note")}\n`;
  });
  return options.strict === true && warnings > 0 ? ExitCode.FAILED : ExitCode.OK;
}

async function lintFiles(context: Context, paths: readonly string[]): Promise<Finding[]> {
  const { resources, warnings } = await readPolicyFiles(context, paths);
  return lint(resources, warnings);
}

async function lintService(context: Context, options: LintOptions): Promise<Finding[]> {
  const days = readDays(options.unmatchedDays);
  const [{ resources: observed }, { findings }, history, matches, { events }] = await Promise.all([
    askJson<{ resources: ObservedResource[] }>(context, options, "/v1/resources"),
    askJson<{ findings: Finding[] }>(context, options, "/v1/lint"),
    readHistory(context, options),
    askJson<Rules>(context, options, "/v1/telemetry/rules"),
    askJson<Overview>(context, options, "/v1/telemetry/overview"),
  ]);
  // Numbered within each, as people find it when they ask for one.
  const resources = observed.flatMap(({ kind, name, text }) =>
    parseResources(text, `${kind}/${name}`).resources.map((one) => ({ ...one, origin: one.origin.stored(kind, name) })),
  );
  const times = new Map(history.map(({ sequence, time }) => [sequence, Date.parse(time)]));
  const revisions = new Map(observed.map(({ kind, name, revision }) => [`${kind}/${name}`, revision]));
  const watched: Watched = {
    matches,
    events,
    now: context.clock.now(),
    changedAt: (kind, name) => times.get(revisions.get(`${kind}/${name}`) ?? -1),
  };
  const soon = tooSoon(watched, days);
  if (soon !== undefined) context.stderr.write(`unmatched rules are not told: ${soon}\n`);
  return withMatches(findings, soon === undefined ? lintMatches(resources, days, watched) : []);
}

/** Empty where somebody else keeps versions: then nothing is known to be new. */
async function readHistory(context: Context, options: ClientOptions): Promise<HistoryReply["versions"]> {
  try {
    return (await askJson<HistoryReply>(context, options, "/v1/history")).versions;
  } catch (error) {
    if (error instanceof CommandError && error.code === ExitCode.FAILED) return [];
    throw error;
  }
}

function readDays(text: string): number {
  const days = Number(text);
  if (/^\d{1,4}$/.test(text)) return days;
  throw new CommandError(ExitCode.USAGE, `expected --unmatched-days as a whole number, got ${text}`);
}
