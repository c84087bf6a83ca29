// Where answers of upstreams come from: those that are kept, and exchanges, which fill the caches as they end.

import { Answer } from "../answer/answer";
import { selector } from "../answer/answer-cache";
import { AnswerStores } from "../answer/answer-stores";
import { Instead } from "../answer/asked";
import { AnswerJudge } from "../answer/judge";
import { random64 } from "../host/host";
import { Upstreams } from "../sync/upstreams";
import { Exchange } from "../upstream/exchange";
import { Exchanges } from "../upstream/exchanges";
import { Upstream } from "../upstream/server";
import { aliasAt, ResponseRules, retainRules, Verdict } from "../verdict/verdict";
import { Question } from "../wire/question";
import { Rcode } from "../wire/types";
import { comesUp } from "./chance";
import { Mirrors } from "./mirrors";
import { Query } from "./query";

/** An answer with at least this TTL, in seconds, and this many hits is fetched anew in the last tenth of its life. */
const PREFETCH_TTL: u32 = 10;
const PREFETCH_HITS: u32 = 3;
const PREFETCH_SHARE: u64 = 10;

@final
export class Fetches {
  readonly upstreams: Upstreams = new Upstreams();
  private readonly judging: AnswerJudge = new AnswerJudge();

  constructor(
    private readonly answers: AnswerStores,
    private readonly exchanges: Exchanges,
    private readonly mirrors: Mirrors,
    /** Exchanges under way beyond which nothing is fetched that nobody waits for. */
    private readonly most: u32,
  ) {}

  /** The answer to the query's question that is kept in a view, though it may have ended. */
  kept(query: Query, view: u64): Answer | null {
    return this.answers.find(view, query.question.key, selectorOf(query.question));
  }

  /** Whether an answer is for the query's client alone: its subnet goes to the upstream (RFC 7871). */
  isOwn(query: Query, verdict: Verdict): bool {
    if (query.question.ecsLength == 0) return false;
    const upstream = this.upstreams.find(verdict.upstream);
    return upstream !== null && upstream.ecs;
  }

  /**
   * The query, which is parked, waits for an exchange in its view with its upstream. `own`: with its client's subnet, for
   * nobody else. An exchange that is new is returned: the caller says if another name is to be asked for, and calls `start`.
   */
  join(query: Query, upstream: Upstream, verdict: Verdict, own: bool): Exchange | null {
    const question = query.question;
    const underWay = own ? changetype<Exchange | null>(0) : this.underWay(query, query.view);
    if (underWay !== null) {
      underWay.waiters.push(query);
      return null;
    }
    const exchange = this.prepare(query, upstream, verdict.responses);
    if (own) {
      memory.copy(exchange.ecs, question.ecs, question.ecsLength);
      exchange.ecsLength = question.ecsLength;
    }
    if (question.traced && upstream.traceContext) trace(query, exchange);
    exchange.waiters.push(query);
    return exchange;
  }

  /** Sends what `join` has returned, and beside it what the verdict has mirrored. */
  start(exchange: Exchange, query: Query, verdict: Verdict, now: u64): void {
    const mirror = this.mirror(query, verdict, exchange, now);
    this.exchanges.start(exchange, now);
    if (mirror !== null) this.exchanges.start(mirror, now);
  }

  /** Fetches a hot answer anew before it ends, by the verdict of the query that hit it; returns whether it does. */
  prefetch(query: Query, verdict: Verdict, answer: Answer, now: u64): bool {
    if (answer.ttl < PREFETCH_TTL || ++answer.hits < PREFETCH_HITS) return false;
    if ((answer.expiresAt - now) * PREFETCH_SHARE > <u64>answer.ttl * 1_000_000) return false;
    const upstream = this.upstreams.find(verdict.upstream);
    if (upstream === null || this.underWay(query, verdict.view) !== null) return false;
    if (this.exchanges.count >= this.most) return false;
    const exchange = this.prepare(query, upstream, verdict.responses);
    const alias = verdict.aliasLength;
    if (alias != 0) exchange.asked.behindAlias(aliasAt(verdict), alias, verdict.ttl);
    this.exchanges.start(exchange, now);
    return true;
  }

  /** Judges and keeps what an exchange came to; what those get who wait for it, or null where it is nothing. */
  ended(exchange: Exchange, answer: Answer | null, now: u64): Answer | null {
    this.mirrors.ended(exchange, answer, now);
    const rules = exchange.rules;
    if (rules !== null && answer !== null) this.judge(exchange, answer, rules);
    if (exchange.ecsLength != 0) return answer;
    const known = this.answers.find(exchange.view, exchange.key, exchange.selector);
    const useful = known !== null && known.rcode != Rcode.SERVFAIL && now < known.staleUntil;
    // RFC 8767, section 5: a failure does not take the place of an answer that may be served stale.
    if (useful && (answer === null || answer.rcode == Rcode.SERVFAIL)) return null;
    if (answer !== null && answer.ttl > 0) {
      this.answers.put(exchange.view, exchange.key, exchange.selector, answer);
    }
    return answer;
  }

  private underWay(query: Query, view: u64): Exchange | null {
    return this.exchanges.underWay(view, query.question.key, selectorOf(query.question));
  }

  private prepare(query: Query, upstream: Upstream, rules: ResponseRules | null): Exchange {
    const question = query.question;
    const exchange = this.exchanges.prepare(
      upstream,
      query.view,
      question.key,
      selectorOf(question),
      question.type,
      question.dnssec,
      question.checkingDisabled,
    );
    exchange.rules = retainRules(rules);
    return exchange;
  }

  /** What is asked of a second upstream beside the exchange, which was not sent yet; null for nothing. */
  private mirror(query: Query, verdict: Verdict, exchange: Exchange, now: u64): Exchange | null {
    if (verdict.mirrorUpstream == 0) return null;
    const upstream = this.upstreams.find(verdict.mirrorUpstream);
    if (upstream === null || (verdict.mirrorChance != 0 && !comesUp(verdict.mirrorChance))) return null;
    return this.mirrors.beside(exchange, upstream, query.peer.tenant, now);
  }

  /** What a rewritten name is answered has to pass for either name. */
  private judge(exchange: Exchange, answer: Answer, rules: ResponseRules): void {
    const key = exchange.key;
    const asked = exchange.asked;
    this.judging.judge(answer, rules, key, key, asked.instead == Instead.Alias);
    if (asked.instead != Instead.Rewritten || answer.denial != 0) return;
    this.judging.judge(answer, rules, key, asked.key, false);
  }
}

function selectorOf(question: Question): u32 {
  return selector(question.type, question.dnssec, question.checkingDisabled);
}

/** The upstream's part in a trace of a client that is trusted with that begins with a span of ours. */
function trace(query: Query, exchange: Exchange): void {
  const verdict = query.verdict;
  if (verdict === null || !verdict.traceContext) return;
  query.span = random64();
  exchange.trace(query.question.trace, query.span);
}
