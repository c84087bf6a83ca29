// A query on its way through the filter. Objects are pooled: a query that is answered at once allocates nothing.

import { Answer, release } from "../answer/answer";
import { Waiter } from "../cache/wait-list";
import { CacheResult } from "../telemetry/telemetry";
import { Channel } from "../transport/channel";
import { Peer } from "../transport/peer";
import { Transport } from "../transport/transport";
import { Server, Upstream } from "../upstream/server";
import { releaseVerdict, Verdict } from "../verdict/verdict";
import { Question } from "../wire/question";
import { Client } from "./clients";

@final
export class Query extends Waiter {
  readonly question: Question = new Question();
  channel: Channel | null = null;
  ticket: u32 = 0;
  transport: Transport = Transport.Udp;
  /** Who asks; the transport's own object until the query has to wait, a copy from then on. */
  peer!: Peer;
  readonly ownPeer: Peer = new Peer();
  /** Monotonic microseconds when it was read. */
  receivedAt: u64 = 0;

  /** The verdict that it goes by, with a reference, and the epoch of the client table in which it was found. */
  verdict: Verdict | null = null;
  epoch: u32 = 0;
  /** How often it was judged again because the revision had changed, and how often the service was asked. */
  rejudged: u32 = 0;
  /** Whether its answer has been put off. */
  delayed: bool = false;
  /** Whether meters have counted it. */
  metered: bool = false;
  /** Whether it waits for a decision about the name that its verdict has it asked by. */
  aliasing: bool = false;
  /** The verdict on the name that it is rewritten to, by which it is answered, with a reference. */
  rewritten: Verdict | null = null;
  decisions: u32 = 0;
  /** When the decision that it waits for was asked for, and how long it has waited for all of them. */
  askedAt: u64 = 0;
  decisionMicroseconds: u64 = 0;
  upstream: Upstream | null = null;
  /** Whose answer it has waited for. */
  server: Server | null = null;
  /** From the question that went out to the upstream's answer. */
  upstreamMicroseconds: u64 = 0;
  /** From reading it to that question; 0 where another query's was under way. */
  upstreamAfterMicroseconds: u64 = 0;
  /** The question that went out, in the client's trace; 0 where no upstream was told of that. */
  span: u64 = 0;
  /** The view that `answer` was asked for in. */
  view: u64 = 0;
  /** The answer in hand while its targets are judged, with a reference, and the target that is next. */
  answer: Answer | null = null;
  stale: bool = false;
  /** Whether `answer` is made of names of the mesh, and whether by way of the client's search list. */
  own: bool = false;
  searched: bool = false;
  /** Of that list, so many names that the client need not ask for any more. */
  spared: u32 = 0;
  /** Whether what it hit is fetched anew. */
  prefetching: bool = false;
  target: u32 = 0;
  /** The verdict on a target that rules in mode Audit have met, with a reference: of several the first. */
  auditedTarget: Verdict | null = null;
  cache: CacheResult = CacheResult.None;
  /** Set while it waits, and is counted for its client and tenant. */
  client: Client | null = null;
  countedTenant: u32 = 0;
  /** Octets of its answer, as far as they are counted. */
  countedOctets: u32 = 0;

  constructor() {
    super();
    this.peer = this.ownPeer;
  }

  setVerdict(verdict: Verdict | null): void {
    releaseVerdict(this.verdict);
    this.verdict = verdict;
  }

  setRewritten(verdict: Verdict | null): void {
    releaseVerdict(this.rewritten);
    this.rewritten = verdict;
  }

  setAnswer(answer: Answer | null): void {
    release(this.answer);
    this.answer = answer;
  }

  setAuditedTarget(verdict: Verdict | null): void {
    releaseVerdict(this.auditedTarget);
    this.auditedTarget = verdict;
  }

  clear(): void {
    this.setVerdict(null);
    this.setRewritten(null);
    this.setAuditedTarget(null);
    this.setAnswer(null);
    this.channel = null;
    this.peer = this.ownPeer;
    this.ownPeer.clearPeer();
    this.upstream = null;
    this.server = null;
    this.upstreamMicroseconds = 0;
    this.upstreamAfterMicroseconds = 0;
    this.span = 0;
    this.view = 0;
    this.rejudged = 0;
    this.delayed = false;
    this.metered = false;
    this.aliasing = false;
    this.decisions = 0;
    this.decisionMicroseconds = 0;
    this.stale = false;
    this.own = false;
    this.searched = false;
    this.spared = 0;
    this.prefetching = false;
    this.target = 0;
    this.cache = CacheResult.None;
  }
}
