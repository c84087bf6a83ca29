/**
 * Policy files as a whole set, for commands that ask no service.
 */
import { dirname, resolve } from "node:path";
import { CompileJobs } from "../compile/job.ts";
import type { ListReference } from "../compiled/list-reference.ts";
import type { NamedTables, NameTable } from "../compiled/name-table.ts";
import { loadSnapshot, namedLists, type Snapshot } from "../compiled/snapshot.ts";
import { saidByNobody } from "../decide/consultation.ts";
import { decide } from "../decide/decide.ts";
import { describeVerdict, type Explanation } from "../explain/explanation.ts";
import { type ExplainRequest, explainRequest, toDecisionRequest } from "../explain/request.ts";
import { considerRules, type SaidOfRule } from "../explain/rules.ts";
import { doListJob } from "../lists/list-job.ts";
import { type Pods, podsOf } from "../mesh/pods.ts";
import { ObjectStore } from "../mesh/sources/object-store.ts";
import { parseObjects } from "../mesh/sources/parse-objects.ts";
import { explainIssue } from "../resources/explain-issue.ts";
import type { LocatedResource } from "../resources/parse.ts";
import { formatPath, formatProblem, type Problem } from "../resources/problem.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { readSourceFiles } from "./sources.ts";

export interface PolicyFiles {
  /** By kind and name, each with the file and line that it was written in. */
  readonly resources: readonly LocatedResource[];
  readonly snapshot: Snapshot;
  /** Those that stand in the files, too. */
  readonly pods: Pods;
  readonly warnings: readonly Problem[];
}

/** A CommandError for a set that is not valid, after its problems were told. */
export async function readPolicyFiles(context: Context, paths: readonly string[]): Promise<PolicyFiles> {
  const files = await readSourceFiles(paths, context.readStdin);
  const sources = files.map(({ name, octets }) => ({ name, text: octets }));
  const jobs = new CompileJobs();
  const result = jobs.run(sources, undefined);
  if (!result.ok) {
    for (const problem of result.problems) context.stderr.write(`${formatProblem(problem)}\n`);
    throw new CommandError(ExitCode.FAILED, "the files are not a valid policy");
  }
  const resources = jobs.readAsWritten(sources);
  const lists = readListFiles(context, resources, result.policy.tables.lists);
  const objects = new ObjectStore();
  objects.apply({ set: parseObjects(sources).objects });
  return {
    resources,
    snapshot: loadSnapshot(result.policy, 0, lists),
    pods: podsOf(objects, () => {}),
    warnings: result.warnings,
  };
}

/** Relative paths begin where the file is that names them. One that cannot be read is told, and has no name. */
function readListFiles(
  context: Context,
  resources: readonly LocatedResource[],
  references: readonly ListReference[],
): NamedTables {
  const sources = new Map(
    resources.filter(({ resource }) => resource.kind === "NameList").map((one) => [one.resource.metadata.name, one]),
  );
  const tables = new Map<string, NameTable>();
  for (const reference of references) {
    const { name, file, inline = [], transfer } = reference;
    const origin = sources.get(name)?.origin;
    if (transfer) {
      context.stderr.write(`warning: NameList ${name} has no name: the service alone transfers zones\n`);
      continue;
    }
    const place = file === undefined ? { names: inline } : { path: resolve(dirname(origin?.source ?? ""), file) };
    const outcome = doListJob({ ...reference, ...place });
    if (outcome.ok) tables.set(name, outcome.table);
    else context.stderr.write(`warning: NameList ${name} has no name: ${outcome.error}\n`);
  }
  return tables;
}

/** `now`: milliseconds since 1970. A CommandError for what is no question. */
export function explainByFiles(
  { resources, snapshot, pods }: PolicyFiles,
  request: ExplainRequest,
  now: number,
): Explanation {
  const parsed = explainRequest.safeParse(request);
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => explainIssue(issue, request, () => []));
    const told = problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
    throw new CommandError(ExitCode.USAGE, told.join("; "));
  }
  const asked = toDecisionRequest(parsed.data, now);
  const question = { ...asked, pod: pods.at(asked.address) };
  const said: Record<string, SaidOfRule> = {};
  const verdict = decide(snapshot, {
    ...question,
    // Files ask nobody.
    consult: (decider, _, { policy, rule }) => {
      const nothing = saidByNobody(decider, question.time);
      said[`${policy}/${rule}`] = { ...nothing, point: decider.point };
      return nothing;
    },
  });
  const { tenant } = verdict.client;
  const rules =
    tenant === "" || !parsed.data.rules
      ? []
      : considerRules(resources, { ...question, tenant, said }, namedLists(snapshot));
  return describeVerdict(snapshot, question, verdict, rules, said);
}
