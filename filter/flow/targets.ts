// The names that an answer points to, each judged as if the client had asked for it.

import { Answer, targetsAt } from "../answer/answer";
import { Action, retainVerdict, Verdict } from "../verdict/verdict";
import { VerdictCache } from "../verdict/verdict-cache";
import { NameKey } from "../wire/name";
import { drawForTarget } from "./chance";
import { Query } from "./query";

export enum Judged {
  Allowed,
  /** `denial` says how. */
  Denied,
  /** Nothing is known of the name in `key`. */
  Unknown,
}

@final
export class TargetJudge {
  readonly key: NameKey = new NameKey();
  denial: Verdict | null = null;

  constructor(private readonly verdicts: VerdictCache) {}

  /** One denied target denies the answer; the answer remembers who may see all of them. */
  judge(query: Query, answer: Answer, now: u64): Judged {
    const cleared = (query.peer.subject << 3) | query.transport;
    const count = <u32>answer.targetCount;
    if (count == 0 || (answer.clearedEpoch == query.epoch && answer.clearedSubject == cleared)) return Judged.Allowed;
    // The first target of an alias is the one that was judged before it was asked for.
    const own = query.verdict;
    if (query.target == 0 && own !== null && own.aliasLength != 0) query.target = 1;
    let at = targetsAt(answer);
    let lasting = query.target == 0;
    for (let i: u32 = 0; i < count; i++) {
      let length: u32 = 0;
      while (load<u8>(at + length) != 0) length += <u32>load<u8>(at + length) + 1;
      length++;
      if (i >= query.target) {
        this.key.set(at, length);
        const found = this.find(query, now);
        if (found === null) {
          query.target = i;
          return Judged.Unknown;
        }
        const verdict = found.action == Action.Chance ? drawForTarget(found) : found;
        if (found.byChance || verdict.auditCount != 0) lasting = false;
        noteAudits(query, verdict);
        if (verdict.action == Action.Deny) {
          this.denial = verdict;
          return Judged.Denied;
        }
        lasting = lasting && this.verdicts.foundLasting;
      }
      at += length;
    }
    if (lasting) {
      answer.clearedSubject = cleared;
      answer.clearedEpoch = query.epoch;
    }
    return Judged.Allowed;
  }

  /** What the client may have of the name in `key`; null where nothing is known of it. */
  judgeAlias(query: Query, now: u64): Verdict | null {
    const found = this.find(query, now);
    if (found === null) return null;
    const verdict = found.action == Action.Chance ? drawForTarget(found) : found;
    noteAudits(query, verdict);
    return verdict;
  }

  private find(query: Query, now: u64): Verdict | null {
    return this.verdicts.find(query.peer.subject, this.key, query.question.type, query.transport, now);
  }
}

/** Of several names with rules in mode Audit, the first is told. */
function noteAudits(query: Query, verdict: Verdict): void {
  if (verdict.auditCount != 0 && query.auditedTarget === null) query.setAuditedTarget(retainVerdict(verdict));
}
