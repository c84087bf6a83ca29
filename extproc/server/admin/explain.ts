/**
 * /v1/explain: what becomes of a question, and why.
 */

import { explainRequest, toDecisionRequest } from "../../explain/request.ts";
import { explainIssue } from "../../resources/explain-issue.ts";
import { fieldNames } from "../../resources/field-names.ts";
import { formatPath, type Problem } from "../../resources/problem.ts";
import { readJson } from "./body.ts";
import type { AdminRequest, Reply } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

export async function explain({ message, control }: AdminRequest): Promise<Reply> {
  const value = await readJson(message);
  const result = explainRequest.safeParse(value);
  if (!result.success) {
    const problems = result.error.issues.flatMap((issue): Problem[] =>
      explainIssue(issue, value, (at) => fieldNames(explainRequest, at)).map(({ path, message }) => {
        return { source: "request", document: 0, line: 0, path: formatPath(path), message };
      }),
    );
    throw new HttpError(400, "expected a question of a client, got another request", { problems });
  }
  const { rules, resources, prune } = result.data;
  const question = toDecisionRequest(result.data, control.now);
  if (resources !== undefined) {
    const upsert = [{ name: "request", text: resources }];
    const outcome = await control.explainAfter({ upsert, prune }, question, rules);
    if ("question" in outcome) return { status: 200, body: outcome };
    const { problems, warnings } = outcome;
    throw new HttpError(400, "the policy would not be valid", { problems, warnings });
  }
  const explanation = await control.explain(question, rules);
  if (explanation === undefined) throw new HttpError(503, "expected a policy in force, got none yet");
  return { status: 200, body: explanation };
}
