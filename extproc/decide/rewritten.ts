/**
 * What becomes of a question whose name a rule rewrites: the filter judges the other name, and answers as that says.
 */
import type { Outcome, RewriteMessage } from "../compiled/messages.ts";
import { readQuestion } from "../compiled/question.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { decide } from "./decide.ts";
import { forwardOf } from "./outcome.ts";
import type { DecisionRequest } from "./request.ts";

export type RewriteFailure = "too long" | "rewritten twice";

/** What a client gets. */
export const FAILURE_RCODES: Readonly<Record<RewriteFailure, string>> = {
  "too long": "YXDOMAIN",
  "rewritten twice": "SERVFAIL",
};

export type Rewritten =
  /** The question is answered as that of this name, which is not rewritten. */
  | { readonly qname: Uint8Array; readonly outcome: Outcome }
  | { readonly qname: Uint8Array | undefined; readonly failure: RewriteFailure };

/** Undefined for what rewrites nothing. */
export function followRewrite(snapshot: Snapshot, request: DecisionRequest, outcome: Outcome): Rewritten | undefined {
  if (!("rewrite" in outcome)) return undefined;
  const qname = rewriteName(request.qname, outcome.rewrite);
  if (qname === undefined) return { qname, failure: "too long" };
  if (isSame(qname, request.qname)) return { qname, outcome: withoutRewrite(outcome) };
  const other = decide(snapshot, { ...request, qname });
  if (!("rewrite" in other)) return { qname, outcome: other };
  const again = rewriteName(qname, other.rewrite);
  if (again === undefined || !isSame(again, qname)) return { qname, failure: "rewritten twice" };
  return { qname, outcome: withoutRewrite(other) };
}

/** Undefined where it would be longer than a name may be. */
function rewriteName(qname: Uint8Array, { labels, to }: RewriteMessage): Uint8Array | undefined {
  const question = readQuestion(qname);
  if (question === undefined) return undefined;
  const replaced = Math.min(labels, question.labels);
  // A label starts behind its length.
  const kept = replaced === 0 ? qname.length - 1 : (question.starts[replaced - 1] ?? 1) - 1;
  const name = Buffer.concat([question.octets.subarray(0, kept), Buffer.from(to, "base64")]);
  return readQuestion(name) && name;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  const [one, other] = [readQuestion(a), readQuestion(b)];
  return one !== undefined && other !== undefined && Buffer.from(one.octets).equals(other.octets);
}

/** Of a name that a rule rewrites to itself: it goes where it always goes. */
function withoutRewrite(outcome: Outcome & { readonly rewrite: RewriteMessage }): Outcome {
  const { rewrite, ...rest } = outcome;
  return { ...rest, ...forwardOf(rewrite.forward) };
}
