// The records of a kept answer's answer section, one after the other. Their names are compressed against the message
// that they were written into, which is put together again for whoever wants to read one.

import { copyLower, NameKey, nameEnd, readName } from "../wire/name";
import { HEADER_SIZE, MAX_MESSAGE, read16, read32, Type } from "../wire/types";
import { Answer, bodyAt, ttlPlacesAt } from "./answer";

/** Type and class of a question. */
const QUESTION_TAIL: u32 = 4;

const name: usize = memory.data(256);

@final
export class Records {
  /** The record that `next` found. */
  type: u32 = 0;
  ttl: u32 = 0;
  dataAt: usize = 0;
  dataLength: u32 = 0;
  /** What `readTarget` read: a name in lower case, and where its record's data goes on. */
  readonly target: usize = heap.alloc(256);
  targetLength: u32 = 0;
  afterTarget: usize = 0;
  private readonly message: usize = heap.alloc(MAX_MESSAGE + 1);
  private length: u32 = 0;
  private answer: Answer | null = null;
  private first: u32 = 0;
  private index: u32 = 0;

  /** `key` is the name of the question; the first `skipped` records are passed by. */
  open(answer: Answer, key: NameKey, skipped: u32): void {
    this.answer = answer;
    this.first = skipped;
    const start = HEADER_SIZE + key.length + QUESTION_TAIL;
    this.length = min(start + answer.bodyLength, MAX_MESSAGE);
    memory.copy(this.message + HEADER_SIZE, key.at, key.length);
    memory.copy(this.message + start, bodyAt(answer), this.length - start);
    this.rewind();
  }

  rewind(): void {
    this.index = this.first;
  }

  /** Goes on to the next record; false where there is none. */
  next(): bool {
    const answer = this.answer;
    if (answer === null) return false;
    // Each record has one place of a TTL, between its type and class and its data (RFC 1035, section 4.1.3).
    const count = min<u32>(answer.answerCount, answer.ttlCount);
    if (this.index >= count) return false;
    const start = this.length - answer.bodyLength;
    const at = this.message + start + read16(ttlPlacesAt(answer) + (this.index++ << 1));
    this.type = read16(at - 4);
    this.ttl = read32(at);
    this.dataLength = read16(at + 4);
    this.dataAt = at + 6;
    return true;
  }

  /** Reads the name that the record points to; false where it is of no type that points anywhere, or to the root. */
  readTarget(): bool {
    let before: u32 = 0;
    switch (this.type) {
      case Type.CNAME:
      case Type.DNAME:
        break;
      case Type.MX:
      case Type.SVCB:
      case Type.HTTPS:
        before = 2;
        break;
      case Type.SRV:
        before = 6;
        break;
      default:
        return false;
    }
    return this.readName(before) && this.targetLength > 1;
  }

  /** Reads the name in its data behind `before` octets, as its target; false where there is none. */
  readName(before: u32): bool {
    const at = <u32>(this.dataAt - this.message);
    const size = readName(this.message, at + this.dataLength, at + before, name);
    this.afterTarget = this.dataAt + this.dataLength;
    if (size == 0) return false;
    copyLower(this.target, name, size);
    this.targetLength = size;
    this.afterTarget = this.message + nameEnd;
    return true;
  }
}
