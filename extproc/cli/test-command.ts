/**
 * `dnspolicy test`: cases against a policy set, by files or by the running service.
 */
import { type Case, parseCases } from "../explain/cases.ts";
import { compare, type Mismatch } from "../explain/expectation.ts";
import type { Explanation } from "../explain/explanation.ts";
import { formatProblem } from "../resources/problem.ts";
import type { ClientOptions } from "./ask.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { askService, describeOutcome } from "./explain-command.ts";
import { toJUnit } from "./junit.ts";
import { count, type Output, print } from "./output.ts";
import { explainByFiles, readPolicyFiles } from "./policy-files.ts";
import { readSourceFiles } from "./sources.ts";

export interface TestOptions extends ClientOptions {
  readonly filename: readonly string[];
  /** Policy files; a service without them. */
  readonly against?: readonly string[];
  readonly output?: Output | "junit";
}

interface Result {
  readonly of: Case;
  readonly mismatches: readonly Mismatch[];
  /** What came, in words. */
  readonly came: readonly string[];
  readonly seconds: number;
}

/** Questions that the service is asked at once. */
const AT_ONCE = 8;

export async function runTest(context: Context, options: TestOptions): Promise<ExitCode> {
  const cases = await readCases(context, options.filename);
  const explain = await chooseExplainer(context, options);
  const results: Result[] = [];
  for (let at = 0; at < cases.length; at += AT_ONCE) {
    results.push(...(await Promise.all(cases.slice(at, at + AT_ONCE).map((one) => runCase(context, one, explain)))));
  }
  const failed = results.filter(({ mismatches }) => mismatches.length > 0);
  if (options.output === "junit") context.stdout.write(toJUnit(results.map(toJUnitCase)));
  else print(context, options.output, toValue(results), () => describe(results));
  return failed.length === 0 ? ExitCode.OK : ExitCode.FAILED;
}

async function readCases(context: Context, paths: readonly string[]): Promise<readonly Case[]> {
  const files = await readSourceFiles(paths, context.readStdin);
  const parsed = files.map(({ name, octets }) => parseCases(octets.toString("utf8"), name));
  const problems = parsed.flatMap((one) => one.problems);
  for (const problem of problems) context.stderr.write(`${formatProblem(problem)}\n`);
  if (problems.length > 0) throw new CommandError(ExitCode.USAGE, "the cases are not valid");
  return parsed.flatMap(({ cases }) => cases);
}

type Explainer = (one: Case, rules: boolean) => Explanation | Promise<Explanation>;

async function chooseExplainer(context: Context, options: TestOptions): Promise<Explainer> {
  if (options.against === undefined) {
    return ({ request }, rules) => askService(context, options, { ...request, rules });
  }
  const files = await readPolicyFiles(context, options.against);
  return ({ request }, rules) => explainByFiles(files, { ...request, rules }, context.clock.now());
}

async function runCase({ clock }: Context, of: Case, explain: Explainer): Promise<Result> {
  const started = clock.elapsed();
  // All rules take as many compilations as match: they are asked for where somebody wants to know.
  const explanation = await explain(of, of.expect.rules !== undefined);
  const mismatches = compare(of.expect, explanation);
  const seconds = (clock.elapsed() - started) / 1000;
  return { of, mismatches, came: describeOutcome(explanation), seconds };
}

function describe(results: readonly Result[]): string {
  const failed = results.filter(({ mismatches }) => mismatches.length > 0);
  const told = failed.map((result) => `FAIL ${result.of.source}:${result.of.line}: ${explainFailure(result)}\n`);
  return `${told.join("")}${count(results.length - failed.length, "case")} passed, ${failed.length} failed\n`;
}

function explainFailure({ of, mismatches, came }: Result): string {
  const lines = mismatches.map(({ field, expected, got }) => `${field}: expected ${expected}, got ${got}`);
  return [of.title, ...lines, came.join(", ")].join("\n     ");
}

function toValue(results: readonly Result[]) {
  const cases = results.map(({ of, mismatches }) => {
    const { source, line, title, request } = of;
    return { source, line, title, request, passed: mismatches.length === 0, mismatches };
  });
  const failed = cases.filter(({ passed }) => !passed).length;
  return { passed: cases.length - failed, failed, cases };
}

function toJUnitCase({ of: { source, line, title }, mismatches, came, seconds }: Result) {
  const lines = mismatches.map(({ field, expected, got }) => `${field}: expected ${expected}, got ${got}`);
  const failure = lines.length === 0 ? undefined : [...lines, came.join(", ")].join("\n");
  return { suite: source, name: title, line, seconds, failure };
}
