// What is left to chance or to meters in a verdict, drawn for one query.

import { random16 } from "../host/host";
import { Buckets } from "../meter/buckets";
import { apexLabels, informationIn } from "../meter/information";
import { Kind, Meter } from "../meter/meter";
import { RecentNames } from "../meter/recent-names";
import { Audited } from "../telemetry/telemetry";
import {
  ACTION_DENY,
  ACTION_RATE_LIMIT,
  auditChance,
  auditMeterAt,
  auditsAt,
  CERTAIN,
  isMetered,
  meterOf,
  nextAudit,
  Verdict,
} from "../verdict/verdict";
import { hashLabel } from "../wire/name";
import { Query } from "./query";
import { Storms } from "./storms";

/** Whether something comes up that does so `chance` times of 10,000. */
export function comesUp(chance: u32): bool {
  return (<u32>random16() * CERTAIN) >> 16 < chance;
}

/** The block of the chain that counts for a name that a query's answer points to; `head` is its head. No meter counts it. */
export function drawForTarget(head: Verdict): Verdict {
  let at = head;
  for (let next = at.next; next !== null; next = at.next) {
    at = next;
    if (at.metered) continue;
    if (at.chance == 0 || comesUp(at.chance)) break;
  }
  return at;
}

@final
export class Draws {
  /** The rules in mode Audit that `drawAudits` has found to have met the query: bits 1 << place in the verdict's list. */
  own: u32 = 0;
  target: u32 = 0;
  private audited: Audited = Audited.Untouched;
  private readonly names: RecentNames = new RecentNames(1);
  private readonly namesOfMinute: RecentNames = new RecentNames(60);

  constructor(
    private readonly buckets: Buckets,
    private readonly storms: Storms,
  ) {}

  /** The block of the chain that counts for the query, which meters on the way count. */
  draw(head: Verdict, query: Query, now: u64): Verdict {
    // A query that is judged again was counted before.
    if (query.metered) return drawForTarget(head);
    query.metered = true;
    let at = head;
    for (let next = at.next; next !== null; next = at.next) {
      at = next;
      if (at.chance != 0 && !comesUp(at.chance)) continue;
      if (!at.metered || this.runsOver(meterOf(at), query, now)) break;
    }
    return at;
  }

  private runsOver(meter: Meter, query: Query, now: u64): bool {
    if (meter.kind == Kind.Information) return this.carriesTooMuch(meter, query, now);
    if (meter.kind == Kind.Nxdomain) return this.storms.isOneTooMany(meter, query, now);
    if (meter.kind != Kind.UniqueNames) return !this.buckets.take(meter, query.peer, now);
    if (this.names.has(meter.id, query.question.key.hash, now)) return false;
    if (!this.buckets.take(meter, query.peer, now)) return true;
    this.names.add();
    return false;
  }

  private carriesTooMuch(meter: Meter, query: Query, now: u64): bool {
    const key = query.question.key;
    const amount = informationIn(key, query.question.type);
    const names = this.namesOfMinute;
    if (amount == 0 || names.has(meter.id, key.hash, now)) return false;
    const labels = apexLabels(key);
    // Not the name's own hash, which is another in each worker: they share the rate.
    const apex = <u64>hashLabel(key.suffixAt(labels), key.suffixLength(labels));
    if (!this.buckets.takeOf(meter, apex, 0, amount, now)) return true;
    names.add();
    return false;
  }

  /** What rules in mode Audit, of the query and of a name that its answer points to, would have made of it. */
  drawAudits(query: Query, now: u64): Audited {
    const verdict = query.verdict;
    const target = query.auditedTarget;
    this.audited = Audited.Untouched;
    this.own = verdict === null || verdict.auditCount == 0 ? 0 : this.drawOf(verdict, query, now);
    this.target = target === null ? 0 : this.drawOf(target, null, now);
    return this.audited;
  }

  /** `query` is null where meters do not count. */
  private drawOf(verdict: Verdict, query: Query | null, now: u64): u32 {
    let drawn: u32 = 0;
    let at = auditsAt(verdict);
    for (let i: u32 = 0; i < verdict.auditCount; i++) {
      const chance = auditChance(at);
      if ((chance == 0 || comesUp(chance)) && this.isMet(at, query, now)) {
        drawn |= 1 << i;
        const action = <u32>load<u8>(at);
        if (action == ACTION_DENY || action == ACTION_RATE_LIMIT) this.audited = Audited.WouldDeny;
        else if (this.audited == Audited.Untouched) this.audited = Audited.Allowed;
      }
      at = nextAudit(at);
    }
    return drawn;
  }

  private isMet(audit: usize, query: Query | null, now: u64): bool {
    if (!isMetered(audit)) return true;
    return query !== null && this.runsOver(changetype<Meter>(auditMeterAt(audit)), query, now);
  }
}
