// @ts-nocheck AssemblyScript.
// Events as the flow writes them, one after the other: what one costs.
import { Answer, bodyAt, newAnswer, ttlPlacesAt } from "../../../../filter/answer/answer";
import { Query } from "../../../../filter/flow/query";
import { QueryEvent } from "../../../../filter/flow/query-event";
import { Text } from "../../../../filter/host/host";
import { Events } from "../../../../filter/telemetry/events";
import { CacheResult, Outcome } from "../../../../filter/telemetry/telemetry";
import { internTenant } from "../../../../filter/telemetry/tenants";
import { Protocol, Upstream } from "../../../../filter/upstream/server";
import { retainVerdict } from "../../../../filter/verdict/verdict";
import { VerdictReader } from "../../../../filter/verdict/verdict-reader";

const input: usize = heap.alloc(1 << 16);
const events = new Events();
const event = new QueryEvent();
const query = new Query();
const reader = new VerdictReader();
let answer: Answer | null = null;
const name = new Text("public");

export function inputAt(): usize {
  return input;
}

export function putQuestion(length: u32): u32 {
  query.peer.setIPv4(0x7f000101);
  query.peer.tenant = internTenant(name.at, name.length);
  query.upstream = new Upstream(1, name, Protocol.DoT, false);
  query.cache = CacheResult.Miss;
  query.upstreamMicroseconds = 412;
  query.upstreamAfterMicroseconds = 250;
  query.decisionMicroseconds = 290;
  return query.question.parse(input, length);
}

export function putVerdict(length: u32): u32 {
  return reader.read(input, length) ? 1 : 0;
}

/** An answer of two A records; the octets at `inputAt` are its body, the places of their TTLs are given. */
export function putAnswer(length: u32, first: u32, second: u32): void {
  const made = newAnswer(length, 2, 0, 0, 0);
  memory.copy(bodyAt(made), input, length);
  store<u16>(ttlPlacesAt(made), bswap<u16>(<u16>first));
  store<u16>(ttlPlacesAt(made) + 2, bswap<u16>(<u16>second));
  made.answerCount = 2;
  answer = made;
}

/** Octets of all events. */
export function run(count: u32): u64 {
  let octets: u64 = 0;
  query.setVerdict(retainVerdict(reader.verdict!));
  query.setAnswer(answer);
  event.query = query;
  event.outcome = Outcome.Forwarded;
  event.verdict = reader.verdict;
  event.microseconds = 137;
  event.revision = 1764000000000;
  event.ttl = 300;
  for (let i: u32 = 0; i < count; i++) {
    event.time = 1764000000000000 + <u64>i;
    events.add(event);
    if (events.hasFull) {
      octets += events.batch.length;
      events.sent();
    }
  }
  return octets + events.batch.length;
}

export function dropped(): u64 {
  return events.dropped;
}
