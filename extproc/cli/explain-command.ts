/**
 * `dnspolicy explain`: what becomes of a question, and why: by a running service, or by files.
 */
import { CompileJobs } from "../compile/job.ts";
import { loadSnapshot } from "../compiled/snapshot.ts";
import { decide } from "../decide/decide.ts";
import { describeVerdict, type Explanation } from "../explain/explanation.ts";
import { type ExplainRequest, explainRequest, toDecisionRequest } from "../explain/request.ts";
import { type ConsideredRule, considerRules } from "../explain/rules.ts";
import { explainIssue } from "../resources/explain-issue.ts";
import { formatPath, formatProblem } from "../resources/problem.ts";
import { ask, type ClientOptions, parseReply } from "./ask.ts";
import type { Context } from "./context.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { formatTable, type Output, print } from "./output.ts";
import { readSourceFiles } from "./sources.ts";

export interface ExplainOptions extends ClientOptions, Omit<ExplainRequest, "transport"> {
  readonly transport?: ExplainRequest["transport"];
  /** Instead of a service. */
  readonly filename?: readonly string[];
  readonly output?: Output;
}

export async function runExplain(context: Context, options: ExplainOptions): Promise<ExitCode> {
  const { client, principal, serverName, path, transport, tenant, name, type, at } = options;
  const request = { client, principal, serverName, path, transport, tenant, name, type, at };
  const explanation =
    options.filename === undefined
      ? await askService(context, options, request)
      : await askFiles(context, options.filename, request);
  print(context, options.output, explanation, () => describe(explanation));
  return ExitCode.OK;
}

async function askService(context: Context, options: ClientOptions, request: object): Promise<Explanation> {
  const headers = { "content-type": "application/json" };
  const body = Buffer.from(JSON.stringify(request));
  return parseReply<Explanation>(await ask(context, options, { method: "POST", path: "/v1/explain", headers, body }));
}

async function askFiles(context: Context, paths: readonly string[], request: object): Promise<Explanation> {
  const parsed = explainRequest.safeParse(request);
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => explainIssue(issue, request, () => []));
    const told = problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
    throw new CommandError(ExitCode.USAGE, told.join("; "));
  }
  const files = await readSourceFiles(paths, context.readStdin);
  const sources = files.map(({ name, octets }) => ({ name, text: octets }));
  const jobs = new CompileJobs();
  const result = jobs.run(sources, undefined);
  if (!result.ok) {
    for (const problem of result.problems) context.stderr.write(`${formatProblem(problem)}\n`);
    throw new CommandError(ExitCode.FAILED, "the files are not a valid policy");
  }
  const snapshot = loadSnapshot(result.policy, 0);
  const question = toDecisionRequest(parsed.data, context.clock.now());
  const verdict = decide(snapshot, question);
  const { tenant } = verdict.client;
  const rules = tenant === "" ? [] : considerRules(jobs.read(sources), { ...question, tenant });
  return describeVerdict(snapshot, question, verdict, rules);
}

function describe(explanation: Explanation): string {
  const { question, client, outcome, upstream, denial, policy, rule, scope, rules, revision } = explanation;
  const by = revision === 0 ? "these files" : `revision ${revision}`;
  const who = client.tenant === "" ? "no tenant" : `tenant ${client.tenant}`;
  const ede = denial && `EDE ${denial.ede} "${denial.text}", TTL ${denial.ttl}`;
  const until = scope.milliseconds === 0 ? "" : `, for ${scope.milliseconds / 1000} s`;
  const lines = [
    `${question.name} ${question.type} over ${question.transport} from ${client.address}, by ${by}`,
    `${who}, as everybody with the same evidence from ${client.block}`,
    outcome === "deny" ? `denied: ${denial?.rcode}, ${ede}` : "",
    outcome === "forward" ? `forwarded to ${upstream?.name} (${upstream?.protocol})` : "",
    outcome === "fault" ? "made to fail" : "",
    outcome === "answer" ? "answered with the rule's own records" : "",
    rule === "" ? "no rule decides" : `by rule ${policy}/${rule}`,
    `and so for ${scope.names}, ${scope.types}, ${scope.transports}${until}`,
  ].filter((line) => line !== "");
  const table = rules.length === 0 ? "" : `\n${formatTable(HEADER, rules.map(toRow))}`;
  return `${lines.join("\n")}\n${table}`;
}

const HEADER = ["TIER", "PRIORITY", "POLICY", "RULE", "ACTION", "FATE"];

function toRow({ kind, policy, rule, tier, priority, action, fate, because }: ConsideredRule): string[] {
  const why = because === undefined ? fate : `${fate}: ${because}`;
  return [tier, String(priority), `${kind}/${policy}`, rule, action, why];
}
