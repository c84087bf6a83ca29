/**
 * /v1/explain: what becomes of a question, and why.
 */

import { explainRequest, toDecisionRequest } from "../../explain/request.ts";
import { readQuestion } from "./body.ts";
import type { AdminRequest, Reply } from "./exchange.ts";
import { HttpError } from "./http-error.ts";

export async function explain({ message, control }: AdminRequest): Promise<Reply> {
  const asked = await readQuestion(message, explainRequest, "a question of a client");
  const { rules, resources, prune } = asked;
  const question = toDecisionRequest(asked, control.now);
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
