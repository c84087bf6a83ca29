// What is left to chance in a verdict, drawn for one query.

import { random16 } from "../host/host";
import { Audited } from "../telemetry/telemetry";
import { ACTION_DENY, auditChance, auditsAt, CERTAIN, nextAudit, Verdict } from "../verdict/verdict";

/** Whether something comes up that does so `chance` times of 10,000. */
export function comesUp(chance: u32): bool {
  return (<u32>random16() * CERTAIN) >> 16 < chance;
}

/** The block of the chain that counts for one query; `head` is its head. */
export function draw(head: Verdict): Verdict {
  let at = head;
  for (let next = at.next; next !== null; next = at.next) {
    at = next;
    if (at.chance == 0 || comesUp(at.chance)) break;
  }
  return at;
}

/** The rules in mode Audit of two verdicts that have met a query: which, and what they would have made of it. */
@final
export class AuditDraw {
  /** Bits 1 << place in the verdict's list. */
  own: u32 = 0;
  target: u32 = 0;
  audited: Audited = Audited.Untouched;

  draw(own: Verdict | null, target: Verdict | null): Audited {
    this.audited = Audited.Untouched;
    this.own = own === null || own.auditCount == 0 ? 0 : this.drawOf(own);
    this.target = target === null ? 0 : this.drawOf(target);
    return this.audited;
  }

  private drawOf(verdict: Verdict): u32 {
    let drawn: u32 = 0;
    let at = auditsAt(verdict);
    for (let i: u32 = 0; i < verdict.auditCount; i++) {
      const chance = auditChance(at);
      if (chance == 0 || comesUp(chance)) {
        drawn |= 1 << i;
        if (<u32>load<u8>(at) == ACTION_DENY) this.audited = Audited.WouldDeny;
        else if (this.audited == Audited.Untouched) this.audited = Audited.Allowed;
      }
      at = nextAudit(at);
    }
    return drawn;
  }
}
