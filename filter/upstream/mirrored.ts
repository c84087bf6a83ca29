// A question that two upstreams were asked: what both said is compared, and told to the policy service. Nobody waits for it.

import { addresses, addressesOf } from "../answer/addresses";
import { Answer, release, retain } from "../answer/answer";
import { saySame } from "../answer/compare";
import { Event } from "../telemetry/events";
import { tenant } from "../telemetry/tenants";
import { NameKey } from "../wire/name";
import { ProtoWriter } from "../wire/protobuf";
import { Rcode } from "../wire/types";
import { Upstream } from "./server";

/** Field of EventBatch. */
const COMPARISONS: u32 = 2;

const enum Result {
  Same = 0,
  Different = 1,
  Failed = 2,
}

@final
export class Mirrored extends Event {
  readonly key: NameKey = new NameKey();
  private first: Answer | null = null;
  private second: Answer | null = null;
  private ended: u32 = 0;
  private microseconds: u64 = 0;

  /** `upstream` is the second; `now` in monotonic microseconds, `time` the same moment since 1970. */
  constructor(
    key: NameKey,
    private readonly type: u32,
    private readonly tenant: u32,
    private readonly upstream: Upstream,
    private readonly now: u64,
    private readonly time: u64,
    private readonly revision: u64,
  ) {
    super();
    this.field = COMPARISONS;
    this.key.copy(key);
  }

  /** What one of them has said, or null; true when that was the last. */
  end(answer: Answer | null, second: bool, now: u64): bool {
    if (answer !== null) retain(answer);
    if (second) {
      this.second = answer;
      this.microseconds = now - this.now;
    } else this.first = answer;
    return ++this.ended == 2;
  }

  write(out: ProtoWriter): void {
    const who = tenant(this.tenant);
    const name = this.upstream.name;
    const second = this.second;
    out.number(1, this.time);
    out.bytes(2, who.name, who.length);
    out.bytes(3, this.key.at, this.key.length);
    out.number(4, this.type);
    out.bytes(5, name.at, name.length);
    out.number(6, this.result());
    out.number(7, rcodeOf(second));
    out.number(8, rcodeOf(this.first));
    if (second !== null) out.bytes(9, addresses, addressesOf(second));
    out.number(10, this.microseconds);
    out.number(11, this.revision);
  }

  private result(): Result {
    const first = this.first;
    const second = this.second;
    if (second === null) return Result.Failed;
    return first !== null && saySame(first, second, this.key) ? Result.Same : Result.Different;
  }

  clear(): void {
    release(this.first);
    release(this.second);
    this.first = null;
    this.second = null;
  }
}

function rcodeOf(answer: Answer | null): u32 {
  return answer === null ? <u32>Rcode.NONE : answer.rcode;
}
