// @ts-nocheck AssemblyScript.
/** Reads upstreams' responses, keeps the last answer, and writes clients' answers from it. */
import { Answer, edeAt, release, retain, targetsAt } from "../../../../filter/answer/answer";
import { Asked } from "../../../../filter/answer/asked";
import { AnswerJudge } from "../../../../filter/answer/judge";
import { ResponseReader, TtlLimits } from "../../../../filter/answer/read";
import { AnswerWriter, Reason } from "../../../../filter/answer/write";
import { ResponseRules, releaseVerdict, responseRule, ruleAt } from "../../../../filter/verdict/verdict";
import { VerdictReader } from "../../../../filter/verdict/verdict-reader";
import { Question } from "../../../../filter/wire/question";

const input: usize = heap.alloc(1 << 17);
const output: usize = heap.alloc(1 << 17);
const limits = new TtlLimits();
const asked = new Asked();
const reader = new ResponseReader(limits);
const question = new Question();
const verdicts = new VerdictReader();
const judging = new AnswerJudge();
const reason = new Reason(15, "a reason");
let writer = new AnswerWriter(1232, 10_000);
let kept: Answer | null = null;
let denial: string = "";
let audit: string = "";

export function inputAt(): usize {
  return input;
}
export function outputAt(): usize {
  return output;
}
export function setLimits(max: u32, maxNegative: u32, stale: u32): void {
  limits.max = max;
  limits.maxNegative = maxNegative;
  limits.stale = stale;
}

/** What is asked: the name at `inputAt`. */
export function ask(length: u32, id: u32, type: u32, dnssec: u32): void {
  asked.key.set(input, length);
  asked.id = id;
  asked.type = type;
  asked.dnssec = dnssec != 0;
}
/** Reads the response at `inputAt`; an answer is kept until the next. */
export function read(length: u32, checkId: u32, now: u64): u32 {
  release(kept);
  const reading = reader.read(input, length, asked, checkId != 0, now);
  kept = reader.answer;
  return reading;
}
/** In the order of the names in the tests; -1 where there is no answer. */
export function field(index: u32): i64 {
  const answer = kept;
  if (answer === null) return -1;
  if (index == 0) return answer.rcode;
  if (index == 1) return answer.ttl;
  if (index == 2) return answer.answerCount;
  if (index == 3) return answer.authorityCount;
  if (index == 4) return answer.targetCount;
  if (index == 5) return answer.flags;
  if (index == 6) return answer.storedAt;
  if (index == 7) return answer.expiresAt;
  if (index == 8) return answer.staleUntil;
  if (index == 9) return answer.references;
  return answer.ttlCount;
}
export function targets(): u32 {
  const answer = kept;
  if (answer === null) return 0;
  memory.copy(output, targetsAt(answer), answer.targetsLength);
  return answer.targetsLength;
}
export function ede(): u32 {
  const answer = kept;
  if (answer === null) return 0;
  memory.copy(output, edeAt(answer), answer.edeLength);
  return answer.edeLength;
}
/** Takes and gives back a reference; how many there are then. */
export function share(): u32 {
  const answer = kept;
  if (answer === null) return 0;
  release(retain(answer));
  return answer.references;
}

/** Judges the kept answer by the Verdict at `inputAt`; false where that is none. */
export function judge(length: u32): u32 {
  const answer = kept;
  denial = "";
  audit = "";
  if (answer === null || !verdicts.read(input, length)) return 0;
  const verdict = verdicts.verdict;
  if (verdict === null) return 0;
  const rules = verdict.responses;
  if (rules !== null) {
    judging.judge(answer, rules, asked.key, asked.key, false);
    if (answer.denial != 0) denial = nameOf(rules, answer.denial - 1);
    if (answer.audit != 0) audit = nameOf(rules, answer.audit - 1);
  }
  releaseVerdict(verdict);
  return 1;
}
function nameOf(rules: ResponseRules, index: u32): string {
  const outcome = responseRule(rules, index).outcome;
  return String.UTF8.decodeUnsafe(ruleAt(outcome), outcome.ruleLength);
}
/** The rule that denies the kept answer, or with 1 the one in mode Audit that it has met; its length. */
export function judgedBy(which: u32): u32 {
  return <u32>(
    String.UTF8.encodeUnsafe(
      changetype<usize>(which == 0 ? denial : audit),
      (which == 0 ? denial : audit).length,
      output,
    )
  );
}

export function setWriter(maxUdpSize: u32, idleMilliseconds: u32): void {
  writer = new AnswerWriter(maxUdpSize, idleMilliseconds);
}
/** The client's query at `inputAt`, which the functions below answer. */
export function query(length: u32): u32 {
  return question.parse(input, length);
}
function written(): u32 {
  memory.copy(output, writer.at, writer.length);
  return writer.length;
}
export function writeAnswer(transport: u32, now: u64, stale: u32): u32 {
  const answer = kept;
  if (answer === null) return 0;
  writer.answer(question, transport, answer, now, stale != 0, null, null);
  return written();
}
export function writeError(transport: u32, rcode: u32, withReason: u32): u32 {
  writer.error(question, transport, rcode, withReason ? reason : null);
  return written();
}
export function writeAny(transport: u32): u32 {
  writer.any(question, transport);
  return written();
}
/** By the Verdict at `inputAt`; 0 where it is none. */
export function writeDenial(length: u32, transport: u32): u32 {
  if (!verdicts.read(input, length)) return 0;
  const verdict = verdicts.verdict;
  if (verdict === null) return 0;
  writer.denial(question, transport, verdict, verdict.soaLabels);
  heap.free(changetype<usize>(verdict));
  return written();
}
export function writtenTtl(): u32 {
  return writer.ttl;
}
export function writtenRcode(): u32 {
  return writer.rcode;
}
export function writtenEde(): i32 {
  return writer.ede;
}
