// @ts-nocheck AssemblyScript.
// Events as the flow writes them, one after the other: what one costs.
import { Answer, bodyAt, newAnswer, ttlPlacesAt } from "../../../../filter/answer/answer";
import { Events } from "../../../../filter/telemetry/events";
import { internTenant } from "../../../../filter/telemetry/tenants";
import { Peer } from "../../../../filter/transport/peer";
import { VerdictReader } from "../../../../filter/verdict/verdict-reader";
import { Question } from "../../../../filter/wire/question";

const input: usize = heap.alloc(1 << 16);
const events = new Events();
const question = new Question();
const peer = new Peer();
const reader = new VerdictReader();
let answer: Answer | null = null;
const upstream = String.UTF8.encode("public");
let revision: u64 = 0;

export function inputAt(): usize {
  return input;
}

export function putQuestion(length: u32): u32 {
  peer.setIPv4(0x7f000101);
  peer.tenant = internTenant(changetype<usize>(upstream), upstream.byteLength);
  revision = 1764000000000;
  events.wallOffset = 1764000000000000;
  return question.parse(input, length);
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
  const verdict = reader.verdict;
  for (let i: u32 = 0; i < count; i++) {
    events.add(
      question,
      peer,
      0,
      0,
      verdict,
      verdict,
      0,
      null,
      0,
      0,
      -1,
      <u64>i,
      137,
      1,
      revision,
      changetype<usize>(upstream),
      6,
      412,
      290,
      250,
      answer,
      300,
      false,
    );
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
