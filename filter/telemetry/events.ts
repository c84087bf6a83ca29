// Events of single queries on their way to the policy service: every denial, every query that a rule in mode Audit has
// met, and every query of a tenant that is logged whole. They are written in wire format at once, into a batch of fixed size; what does not fit is counted.

import { wallMicroseconds } from "../host/host";
import { Peer } from "../transport/peer";
import { Transport } from "../transport/transport";
import { AUDIT_HEAD, auditChance, auditsAt, nextAudit, policyAt, ruleAt, Verdict } from "../verdict/verdict";
import { ProtoWriter } from "../wire/protobuf";
import { Question } from "../wire/question";
import { CacheResult, Outcome } from "./telemetry";
import { tenant } from "./tenants";

const BATCH: u32 = 60 * 1024;
/** Field of EventBatch. */
const EVENTS: u32 = 1;

const address: usize = memory.data(16);

@final
export class Events {
  /** An EventBatch. */
  readonly batch: ProtoWriter = new ProtoWriter(BATCH);
  dropped: u64 = 0;

  /**
   * `verdict` is null where none was found; `audited` and `target` carry rules in mode Audit, of the query and of a name
   * that its answer points to, of which those in the bits beside them are told; `ede` is an INFO-CODE or -1.
   */
  add(
    question: Question,
    peer: Peer,
    transport: Transport,
    outcome: Outcome,
    verdict: Verdict | null,
    audited: Verdict | null,
    audits: u32,
    target: Verdict | null,
    targetAudits: u32,
    rcode: u32,
    ede: i32,
    microseconds: u64,
    cache: CacheResult,
    revision: u64,
    upstream: usize,
    upstreamLength: u32,
  ): void {
    const out = this.batch;
    const before = out.length;
    const start = out.beginMessage(EVENTS);
    out.number(1, wallMicroseconds() - microseconds);
    const who = tenant(peer.tenant);
    out.bytes(2, who.name, who.length);
    if (peer.isIPv4) {
      store<u32>(address, bswap<u32>(<u32>peer.low));
      out.bytes(3, address, 4);
    } else {
      store<u64>(address, bswap<u64>(peer.high));
      store<u64>(address + 8, bswap<u64>(peer.low));
      out.bytes(3, address, 16);
    }
    out.number(4, transport);
    if (question.hasQuestion) out.bytes(5, question.name, question.key.length);
    out.number(6, question.type);
    out.number(7, outcome);
    if (verdict !== null) {
      out.bytes(8, policyAt(verdict), verdict.policyLength);
      out.bytes(9, ruleAt(verdict), verdict.ruleLength);
    }
    out.number(10, rcode);
    out.number(11, <u64>(ede + 1));
    out.number(12, microseconds);
    out.number(13, cache);
    out.number(14, revision);
    out.bytes(15, upstream, upstreamLength);
    out.number(19, 1);
    if (audited !== null) this.addAudits(audited, audits);
    if (target !== null) this.addAudits(target, targetAudits);
    out.endMessage(start);
    if (out.full) {
      out.rewind(before);
      this.dropped++;
    }
  }

  private addAudits(verdict: Verdict, told: u32): void {
    const out = this.batch;
    let at = auditsAt(verdict);
    for (let i: u32 = 0; i < verdict.auditCount; i++) {
      if (told & (1 << i)) {
        const start = out.beginMessage(16);
        const policy = at + AUDIT_HEAD;
        const policyLength = <u32>load<u8>(at, 1);
        out.bytes(1, policy, policyLength);
        out.bytes(2, policy + policyLength, <u32>load<u8>(at, 2));
        out.number(3, <u64>load<u8>(at));
        out.number(4, auditChance(at));
        out.endMessage(start);
      }
      at = nextAudit(at);
    }
  }
}
