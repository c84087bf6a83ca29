// The event of one query: what the policy service is told of it.

import { addresses, addressesOf, MAX_ADDRESSES, putAddress } from "../answer/addresses";
import { Event } from "../telemetry/events";
import { CacheResult, Outcome } from "../telemetry/telemetry";
import { tenant } from "../telemetry/tenants";
import {
  AUDIT_HEAD,
  auditChance,
  auditsAt,
  nextAudit,
  policyAt,
  RECORD_HEAD,
  recordsAt,
  ruleAt,
  Verdict,
} from "../verdict/verdict";
import { NameKey } from "../wire/name";
import { ProtoWriter } from "../wire/protobuf";
import { TRACE_SIZE } from "../wire/question";
import { Type } from "../wire/types";
import { Query } from "./query";
import { rewrite } from "./rewriting";

const address: usize = memory.data(16);
const rewritten = new NameKey();

@final
export class QueryEvent extends Event {
  query!: Query;
  outcome: Outcome = Outcome.Failed;
  /** What it was answered by; null where no verdict was found. */
  verdict: Verdict | null = null;
  /** Rules in mode Audit that the query has met, and a name that its answer points to: bits 1 << place in the verdict's list. */
  audits: u32 = 0;
  targetAudits: u32 = 0;
  rcode: u32 = 0;
  /** INFO-CODE of the answer's EDE, or -1. */
  ede: i32 = -1;
  /** As the event has them. */
  flags: u32 = 0;
  /** Seconds for which the client may keep what it got. */
  ttl: u32 = 0;
  /** Microseconds since 1970 when it was read, and from then to its answer. */
  time: u64 = 0;
  microseconds: u64 = 0;
  revision: u64 = 0;
  logged: bool = false;

  write(out: ProtoWriter): void {
    const query = this.query;
    const question = query.question;
    const peer = query.peer;
    out.number(1, this.time);
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
    out.number(4, query.transport);
    if (question.hasQuestion) out.bytes(5, question.name, question.key.length);
    out.number(6, question.type);
    out.number(7, this.outcome);
    const verdict = this.verdict;
    if (verdict !== null) {
      out.bytes(8, policyAt(verdict), verdict.policyLength);
      out.bytes(9, ruleAt(verdict), verdict.ruleLength);
    }
    out.number(10, this.rcode);
    out.number(11, <u64>(this.ede + 1));
    out.number(12, this.microseconds);
    out.number(13, query.own ? CacheResult.Mesh : query.prefetching ? CacheResult.Prefetch : query.cache);
    out.number(14, this.revision);
    const upstream = query.upstream;
    if (upstream !== null) out.bytes(15, upstream.name.at, upstream.name.length);
    const own = query.verdict;
    if (own !== null && this.audits != 0) addAudits(out, own, this.audits);
    const target = query.auditedTarget;
    if (target !== null && this.targetAudits != 0) addAudits(out, target, this.targetAudits);
    if (this.rcode == 0) {
      const answer = this.outcome == Outcome.Forwarded || this.outcome == Outcome.Answered ? query.answer : null;
      if (answer !== null) out.bytes(17, addresses, addressesOf(answer));
      else if (verdict !== null && verdict.recordCount != 0) {
        out.bytes(17, addresses, addressesOfRecords(verdict, question.type));
      }
    }
    out.number(18, query.upstreamMicroseconds);
    out.number(19, <u64>this.logged);
    out.number(29, this.ttl);
    const by = query.verdict;
    if (query.rewritten !== null && by !== null && rewrite(rewritten, question.key, by)) {
      out.bytes(30, rewritten.at, rewritten.length);
    }
    const server = query.server;
    if (server !== null) out.bytes(47, server.cluster.at, server.cluster.length);
    out.number(35, query.decisionMicroseconds);
    out.number(36, query.upstreamAfterMicroseconds);
    if (question.traced && own !== null && own.traceContext) {
      out.bytes(37, question.trace, TRACE_SIZE);
      if (query.span != 0) {
        store<u64>(address, bswap<u64>(query.span));
        out.bytes(38, address, 8);
      }
    }
    const evidence = peer.evidence;
    if (evidence !== null) out.bytes(50, changetype<usize>(evidence.principal), evidence.principal.byteLength);
    out.number(51, this.flags);
  }
}

function addressesOfRecords(verdict: Verdict, type: u32): u32 {
  let at = recordsAt(verdict);
  let length: u32 = 0;
  let told: u32 = 0;
  for (let i: u32 = 0; i < verdict.recordCount && told < MAX_ADDRESSES; i++) {
    const size = <u32>load<u16>(at, 2);
    if (<u32>load<u16>(at) == type && (type == Type.A || type == Type.AAAA)) {
      length += putAddress(length, at + RECORD_HEAD, size);
      told++;
    }
    at += RECORD_HEAD + size;
  }
  return length;
}

function addAudits(out: ProtoWriter, verdict: Verdict, told: u32): void {
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
