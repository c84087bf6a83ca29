// Which answers are kept in a tenant's own part of the cache: those in the views of its verdicts.

import { AnswerStores } from "../answer/answer-stores";
import { limitsOf } from "../verdict/tenant-limits";
import { Verdict } from "../verdict/verdict";

/** `verdict`: one that came just now. */
export function keepApart(answers: AnswerStores, verdict: Verdict): void {
  const limits = limitsOf(verdict.tenant);
  const share = limits === null ? 0 : limits.cacheShare;
  if (share == 0 && !answers.divided) return;
  let at: Verdict | null = verdict;
  while (at !== null) {
    if (at.view != 0) answers.own(verdict.tenant, share, at.view);
    at = at.next;
  }
}
