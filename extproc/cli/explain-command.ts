/**
 * `dnspolicy explain`: what becomes of a question, and why: by a running service, or by files.
 */
import type {
  End,
  ExplainedDecision,
  ExplainedResponseRule,
  Explanation,
  RewrittenEnd,
} from "../explain/explanation.ts";
import type { ExplainRequest } from "../explain/request.ts";
import type { ConsideredRule } from "../explain/rules.ts";
import { ask, type ClientOptions, parseReply } from "./ask.ts";
import type { Context } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { formatTable, type Output, print } from "./output.ts";
import { explainByFiles, readPolicyFiles } from "./policy-files.ts";

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
      : explainByFiles(await readPolicyFiles(context, options.filename), request, context.clock.now());
  print(context, options.output, explanation, () => describe(explanation));
  return ExitCode.OK;
}

export async function askService(
  context: Context,
  options: ClientOptions,
  request: ExplainRequest,
): Promise<Explanation> {
  const headers = { "content-type": "application/json" };
  const body = Buffer.from(JSON.stringify(request));
  return parseReply<Explanation>(await ask(context, options, { method: "POST", path: "/v1/explain", headers, body }));
}

function describe(explanation: Explanation): string {
  const { question, client, scope, rules, revision } = explanation;
  const by = revision === 0 ? "these files" : `revision ${revision}`;
  const who = client.tenant === "" ? "no tenant" : `tenant ${client.tenant}`;
  const until = scope.milliseconds === 0 ? "" : `, for ${scope.milliseconds / 1000} s`;
  const lines = [
    `${question.name} ${question.type} over ${question.transport} from ${client.address}, by ${by}`,
    `${who}, as everybody with the same evidence from ${client.block}`,
    ...describeOutcome(explanation),
    `and so for ${scope.names}, ${scope.types}, ${scope.transports}${until}`,
  ];
  const table = rules.length === 0 ? "" : `\n${formatTable(HEADER, rules.map(toRow))}`;
  return `${lines.join("\n")}\n${table}`;
}

/** What comes of the question, and by which rule: lines for people. */
export function describeOutcome({
  policy,
  rule,
  meshNamespaces,
  responseRules,
  decisionPoints = [],
  limits,
  rewritten,
  mirror,
  ...explanation
}: Explanation): string[] {
  const by = rule === "" ? "no rule decides" : `by rule ${policy}/${rule}`;
  return [
    rewritten === undefined ? describeAction(explanation) : describeRewritten(rewritten),
    by,
    ...(rewritten?.end === undefined ? [] : describeOther(rewritten.end)),
    ...decisionPoints.map(describeDecision),
    ...(mirror === undefined ? [] : [`${mirror.upstream} is asked too, ${howOften(mirror.percent)}, to compare`]),
    ...(meshNamespaces === undefined ? [] : [describeMesh(meshNamespaces)]),
    ...(responseRules === undefined || explanation.outcome === "deny" ? [] : [describeResponses(responseRules)]),
    ...(limits === undefined ? [] : [`the tenant has at most ${limits.join("; ")}`]),
  ];
}

function howOften(percent: number): string {
  return percent === 100 ? "always" : `${percent} times of 100`;
}

function describeRewritten({ name, failure }: RewrittenEnd): string {
  if (failure === "too long") return "made to fail: YXDOMAIN, the rewritten name is too long";
  return failure === undefined
    ? `rewritten to ${name}`
    : `made to fail: SERVFAIL, ${name} would be rewritten in its turn`;
}

/** What becomes of the other name. */
function describeOther({ policy, rule, meshNamespaces, ...end }: End): string[] {
  const by = rule === "" ? "by no rule" : `by rule ${policy}/${rule}`;
  const mesh = meshNamespaces === undefined ? [] : [describeMesh(meshNamespaces)];
  return [`which is ${describeAction(end)}, ${by}`, ...mesh];
}

function describeResponses(rules: readonly ExplainedResponseRule[]): string {
  const named = rules.map(({ policy, rule, action, audit }) => `${policy}/${rule} ${action}${audit ? " (Audit)" : ""}`);
  return `what an upstream answers is judged by ${named.join(", ")}`;
}

function describeDecision({ policy, rule, point, said, reason, failed }: ExplainedDecision): string {
  const how = failed ? "cannot be asked, which is taken for" : "says";
  return `for ${policy}/${rule}, decision point ${point} ${how} ${said}${reason === "" ? "" : `: ${reason}`}`;
}

function describeMesh(namespaces: readonly string[]): string {
  if (namespaces.includes("*")) return "but names of the mesh are answered first";
  if (namespaces.length === 0) return "but of the mesh it knows no name";
  return `but names of the mesh are answered first, those of ${namespaces.join(", ")}`;
}

function describeAction({
  outcome,
  upstream,
  denial,
  fault,
  records = [],
}: Omit<End, "policy" | "rule" | "meshNamespaces">): string {
  const own = records.length === 0 ? "" : `: ${records.join(", ")}`;
  switch (outcome) {
    case "deny": {
      const form = denial?.form === undefined ? denial?.rcode : `${denial.form} (${denial.rcode})`;
      const why = denial?.ede === "none" ? "without EDE" : `EDE ${denial?.ede} "${denial?.text}"`;
      return `denied: ${form}, ${why}, TTL ${denial?.ttl}${own}`;
    }
    case "forward":
      return `forwarded to ${upstream?.name} (${upstream?.protocol})`;
    case "fault":
      return `made to fail: ${fault?.code}`;
    case "answer":
      return `answered with the rule's own records${own}`;
    case "rewrite":
      return "rewritten";
  }
}

const HEADER = ["TIER", "PRIORITY", "POLICY", "RULE", "ACTION", "FATE"];

function toRow({ kind, policy, rule, tier, priority, action, fate, because }: ConsideredRule): string[] {
  const why = because === undefined ? fate : `${fate}: ${because}`;
  return [tier, String(priority), `${kind}/${policy}`, rule, action, why];
}
