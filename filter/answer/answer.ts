// An upstream's answer as it is kept: everything after the question, already validated and compressed, with the places
// of its TTLs, so that sending it again is one copy and a few additions. Blocks live outside the garbage collector and
// count their references: the cache holds one, and so does every query that waits with the answer in hand.

/** Seconds between the moments that TTLs are counted in. */
const MICROSECONDS: u64 = 1_000_000;

/** More than a name has. */
export const NO_ZONE: u8 = 255;

/** Fixed head of the block; body, TTL places, targets and EDE follow. */
@unmanaged
export class Answer {
  references: u32;
  /** Octets of the whole block. */
  size: u32;
  /** Monotonic microseconds: when it came, when its least TTL ends, and when it may not even be served stale. */
  storedAt: u64;
  expiresAt: u64;
  staleUntil: u64;
  /** A subject that may see all targets, and the epoch (below) in which that was judged. */
  clearedSubject: u64;
  /** Least TTL, in seconds. */
  ttl: u32;
  bodyLength: u32;
  /** AD bit of the upstream; AA of an answer that is made here. */
  flags: u32;
  rcode: u32;
  answerCount: u16;
  authorityCount: u16;
  ttlCount: u16;
  targetCount: u16;
  targetsLength: u32;
  /** INFO-CODE and EXTRA-TEXT of the upstream's first EDE option (RFC 8914). */
  edeLength: u32;
  clearedEpoch: u32;
  /** Places + 1, among the response rules that its view is judged by, of the one that denies it, and of the first in mode Audit
   * that it has met; 0 is none. */
  denial: u8;
  audit: u8;
  /** Labels of the zone whose SOA proves the name that was asked for away; NO_ZONE where none does. */
  zoneLabels: u8;
  /** Hits since it was stored, as far as prefetching wants to know. */
  hits: u32;
}

const HEAD: usize = (offsetof<Answer>() + 7) & ~7;

/** A block for an answer of these sizes with one reference, or null where there is no memory. */
export function newAnswer(
  bodyLength: u32,
  ttlCount: u32,
  targetCount: u32,
  targetsLength: u32,
  edeLength: u32,
): Answer {
  const size = HEAD + bodyLength + ttlCount * 2 + targetsLength + edeLength;
  const answer = changetype<Answer>(heap.alloc(size));
  memory.fill(changetype<usize>(answer), 0, HEAD);
  answer.references = 1;
  answer.size = <u32>size;
  answer.bodyLength = bodyLength;
  answer.zoneLabels = NO_ZONE;
  answer.ttlCount = <u16>ttlCount;
  answer.targetCount = <u16>targetCount;
  answer.targetsLength = targetsLength;
  answer.edeLength = edeLength;
  return answer;
}

export function bodyAt(answer: Answer): usize {
  return changetype<usize>(answer) + HEAD;
}

/** Offsets in the body of every TTL, 16 bits each. */
export function ttlPlacesAt(answer: Answer): usize {
  return bodyAt(answer) + answer.bodyLength;
}

/** The names that the answer points to, in lower-case wire format, one after the other. */
export function targetsAt(answer: Answer): usize {
  return ttlPlacesAt(answer) + ((<usize>answer.ttlCount) << 1);
}

export function edeAt(answer: Answer): usize {
  return targetsAt(answer) + answer.targetsLength;
}

export function retain(answer: Answer): Answer {
  answer.references += 1;
  return answer;
}

export function release(answer: Answer | null): void {
  if (answer === null) return;
  if (--answer.references == 0) heap.free(changetype<usize>(answer));
}

/** Whole seconds since it was stored. */
export function ageOf(answer: Answer, now: u64): u32 {
  return now > answer.storedAt ? <u32>((now - answer.storedAt) / MICROSECONDS) : 0;
}
