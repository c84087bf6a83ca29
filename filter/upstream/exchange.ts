// One question under way to an upstream, whoever waits for it.

import { Answer } from "../answer/answer";
import { Asked } from "../answer/asked";
import { WaitList } from "../cache/wait-list";
import { ResponseRules } from "../verdict/verdict";
import { NameKey } from "../wire/name";
import { TRACE_ID_SIZE } from "../wire/question";
import { Mirrored } from "./mirrored";
import { Outstanding } from "./pipe";
import { Server, Upstream } from "./server";

export const TRACEPARENT_SIZE: u32 = TRACE_ID_SIZE + 8;
const ECS_SIZE: u32 = 20;

export class Exchange extends Outstanding {
  /** The name that the client asked for: `asked` has another one where it is an alias. */
  readonly key: NameKey = new NameKey();
  readonly asked: Asked = new Asked();
  readonly waiters: WaitList = new WaitList();
  upstream: Upstream | null = null;
  server: Server | null = null;
  /** Whose answer came last, its rival's too. */
  answeredBy: Server | null = null;
  /** HTTP call of a DoH server; 0 is none. */
  token: u32 = 0;
  view: u64 = 0;
  selector: u32 = 0;
  /** What the answer is judged by before anybody gets it, with a reference. */
  rules: ResponseRules | null = null;
  /** A client subnet to pass on: such an answer is for this client alone. */
  readonly ecs: usize = heap.alloc(ECS_SIZE);
  ecsLength: u32 = 0;
  /** The trace-id and parent-id that the upstream is told, where `traced`. */
  readonly traceparent: usize = heap.alloc(TRACEPARENT_SIZE);
  traced: bool = false;
  tries: u32 = 0;
  /** Monotonic microseconds. */
  sentAt: u64 = 0;
  tryEnds: u64 = 0;
  ends: u64 = 0;
  /** Asks another server at the same time (Strategy.Race): the first answer is the exchange's. */
  rival: Exchange | null = null;
  /** Of a rival, the exchange that it helps. */
  leader: Exchange | null = null;
  /** Nobody's question: whether its server is well. */
  isCheck: bool = false;
  /** Of a question that two upstreams are asked: whether this one is to be compared with the other, and has no other use. */
  mirrored: Mirrored | null = null;
  isMirror: bool = false;
  /** Its connection is gone, and it is to be sent again. */
  isOrphan: bool = false;
  /** A failure that the upstream answered with, in case that nobody does better. */
  fallback: Answer | null = null;

  hash: u64 = 0;
  next: Exchange | null = null;
  nextByToken: Exchange | null = null;
  /** Neighbours in the order of `tryEnds`. */
  earlier: Exchange | null = null;
  later: Exchange | null = null;
  timed: bool = false;

  /** `id` is a trace-id. */
  trace(id: usize, span: u64): void {
    memory.copy(this.traceparent, id, TRACE_ID_SIZE);
    store<u64>(this.traceparent + TRACE_ID_SIZE, bswap<u64>(span));
    this.traced = true;
  }
}
