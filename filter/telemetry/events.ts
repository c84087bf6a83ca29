// Events of single queries on their way to the policy service: of every query where it asks for them, otherwise of those
// that are to be logged. They are written in wire format at once, into batches of fixed size; what finds them full is counted,
// and lost. Nothing waits for an event.

import { Answer, bodyAt, ttlPlacesAt } from "../answer/answer";
import { Peer } from "../transport/peer";
import { Transport } from "../transport/transport";
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
import { ProtoWriter } from "../wire/protobuf";
import { Question } from "../wire/question";
import { Type } from "../wire/types";
import { CacheResult, Outcome } from "./telemetry";
import { tenant } from "./tenants";

/** Octets of a batch: with a report's other parts one message. */
const BATCH: u32 = 60 * 1024;
/** Batches of a worker: what the policy service may be behind. */
const BATCHES: i32 = 16;
/** Field of EventBatch. */
const EVENTS: u32 = 1;

const address: usize = memory.data(16);
/** Addresses of an answer that are told, each behind its length. */
const MAX_ADDRESSES: u32 = 64;
const addresses: usize = memory.data(64 * 17);

@final
export class Events {
  /** The policy service wants to hear of every query. */
  all: bool = false;
  /** Somebody waits for each event. */
  prompt: bool = false;
  dropped: u64 = 0;
  /** What is to be added to monotonic microseconds for those since 1970. */
  wallOffset: u64 = 0;
  private readonly batches: StaticArray<ProtoWriter> = new StaticArray<ProtoWriter>(BATCHES);
  private readonly counts: StaticArray<u32> = new StaticArray<u32>(BATCHES);
  /** The batch that is sent next, and how many there are up to the one that is written. */
  private first: i32 = 0;
  private count: i32 = 1;

  constructor() {
    for (let i = 0; i < BATCHES; i++) this.batches[i] = new ProtoWriter(BATCH);
  }

  /** An EventBatch: the oldest. */
  get batch(): ProtoWriter {
    return unchecked(this.batches[this.first]);
  }

  /** Events in it. */
  get batchCount(): u32 {
    return unchecked(this.counts[this.first]);
  }

  /** Whether a batch is full. */
  get hasFull(): bool {
    return this.count > 1;
  }

  /** The oldest batch is sent. */
  sent(): void {
    this.batch.clear();
    unchecked((this.counts[this.first] = 0));
    if (this.count == 1) return;
    this.first = (this.first + 1) % BATCHES;
    this.count--;
  }

  /**
   * `receivedAt`: monotonic microseconds; `verdict` is null where none was found; `audited` and `target` carry rules in mode
   * Audit, of the query and of a name that its answer points to, of which those in the bits beside them are told; `ede` is an
   * INFO-CODE or -1; `answer` is what an upstream said, `ttl` for how many seconds the client may keep what it got.
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
    receivedAt: u64,
    microseconds: u64,
    cache: CacheResult,
    revision: u64,
    upstream: usize,
    upstreamLength: u32,
    upstreamMicroseconds: u64,
    upstreamAfterMicroseconds: u64,
    decisionMicroseconds: u64,
    answer: Answer | null,
    ttl: u32,
    logged: bool,
  ): void {
    for (;;) {
      const last = (this.first + this.count - 1) % BATCHES;
      const out = unchecked(this.batches[last]);
      const before = out.length;
      const start = out.beginMessage(EVENTS);
      out.number(1, receivedAt + this.wallOffset);
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
      if (audited !== null && audits != 0) addAudits(out, audited, audits);
      if (target !== null && targetAudits != 0) addAudits(out, target, targetAudits);
      if (rcode == 0) {
        if (answer !== null) out.bytes(17, addresses, addressesOf(answer));
        else if (verdict !== null && verdict.recordCount != 0) {
          out.bytes(17, addresses, addressesOfRecords(verdict, question.type));
        }
      }
      out.number(18, upstreamMicroseconds);
      out.number(19, <u64>logged);
      out.number(29, ttl);
      out.number(35, decisionMicroseconds);
      out.number(36, upstreamAfterMicroseconds);
      out.endMessage(start);
      if (!out.full) {
        unchecked((this.counts[last] += 1));
        return;
      }
      out.rewind(before);
      if (before == 0 || this.count == BATCHES) {
        this.dropped++;
        return;
      }
      this.count++;
    }
  }
}

/** The first A and AAAA records of the answer section, into `addresses`; octets there. */
function addressesOf(answer: Answer): u32 {
  const body = bodyAt(answer);
  const places = ttlPlacesAt(answer);
  // Each record has one place of a TTL, between its type and class and its data (RFC 1035, section 4.1.3).
  const count = min<u32>(answer.answerCount, answer.ttlCount);
  let length: u32 = 0;
  let told: u32 = 0;
  for (let i: u32 = 0; i < count && told < MAX_ADDRESSES; i++) {
    const at = body + <usize>bswap<u16>(load<u16>(places + (i << 1)));
    const type = <u32>bswap<u16>(load<u16>(at - 4));
    if (type != Type.A && type != Type.AAAA) continue;
    length += putAddress(length, at + 6, <u32>bswap<u16>(load<u16>(at, 4)));
    told++;
  }
  return length;
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

function putAddress(length: u32, from: usize, size: u32): u32 {
  if (size != 4 && size != 16) return 0;
  store<u8>(addresses + length, <u8>size);
  memory.copy(addresses + length + 1, from, size);
  return size + 1;
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
