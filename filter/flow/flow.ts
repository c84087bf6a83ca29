// The life of a query, from the message that a transport hands over to the answer that it gets back. This is the one
// place where the order of steps stands:
//
//   receive   the message is parsed; what needs no policy is answered at once
//   judge     who asks, and may they: from the caches, or the query waits for a decision
//   forward   the answer from the cache, or the query waits for an exchange with an upstream
//   deliver   every name that the answer points to is judged too; then the answer goes out
//
// A query that has to wait is parked, and goes on at the step that it waited in. Whatever waited is judged again if the
// policy has changed meanwhile. `failsafe` is the one place that says what happens while the policy service is away.

import { Answer, release, retain } from "../answer/answer";
import { AnswerStores } from "../answer/answer-stores";
import { ResponseReader, TtlLimits } from "../answer/read";
import { Reason } from "../answer/write";
import { WaitList } from "../cache/wait-list";
import { random64 } from "../host/host";
import { Found, MeshAnswers } from "../mesh/answers";
import { Mesh } from "../mesh/mesh";
import { Buckets } from "../meter/buckets";
import { Standing, Sync, SyncListener } from "../sync/sync";
import { Events } from "../telemetry/events";
import { CacheResult, Outcome } from "../telemetry/telemetry";
import { Channel, Receiver } from "../transport/channel";
import { Peer } from "../transport/peer";
import { Exchange } from "../upstream/exchange";
import { ExchangeListener, Exchanges } from "../upstream/exchanges";
import { ClientTable } from "../verdict/clients";
import { Action, aliasAt, ResponseRules, responseRule, retainVerdict, Verdict } from "../verdict/verdict";
import { VerdictCache } from "../verdict/verdict-cache";
import { mix, NameKey, seedNameHashes } from "../wire/name";
import { Parse } from "../wire/question";
import { CLASS_IN, Ede, Flag, Rcode, Type } from "../wire/types";
import { Asking, Came } from "./asking";
import { Draws } from "./chance";
import { Client, Clients } from "./clients";
import { Delays } from "./delays";
import { Fetches } from "./fetches";
import { Mirrors } from "./mirrors";
import { DecisionSlots, Parking, takeOlder } from "./parking";
import { Query } from "./query";
import { Replies } from "./replies";
import { rewrite } from "./rewriting";
import { Settings } from "./settings";
import { Storms } from "./storms";
import { Judged, TargetJudge } from "./targets";

const MALFORMED = new Reason(Ede.Other, "malformed query");
const BAD_VERSION = new Reason(Ede.None, "");
const OTHER_OPCODE = new Reason(Ede.NotSupported, "only standard queries are answered");
const NOT_RECURSIVE = new Reason(Ede.NotSupported, "only recursive queries are answered");
const NO_TRANSFER = new Reason(Ede.NotSupported, "zone transfers are not served");
const NO_CLASS = new Reason(Ede.NotSupported, "only class IN is served");
const NO_TYPE = new Reason(Ede.NotSupported, "not a type that can be asked for");
const NOT_READY = new Reason(Ede.NotReady, "policy service is away");
const TOO_MANY = new Reason(Ede.Other, "too many queries wait");
const CHANGING = new Reason(Ede.NotReady, "policy changes too fast");
const NO_NAMES = new Reason(Ede.NotReady, "not all names of the mesh are known here");
const TOO_LONG = new Reason(Ede.Other, "the name is too long as it is rewritten");
const REWRITTEN_TWICE = new Reason(Ede.Other, "the name that it is rewritten to is rewritten too");
const NO_UPSTREAM = new Reason(Ede.NoReachableAuthority, "no upstream server answered");

/** A query is judged again this often at most. */
const MAX_REJUDGED: u32 = 2;
/** Decisions that one query may ask for: for its name, and for the targets of its answer. */
const MAX_DECISIONS: u32 = 80;
/** Microseconds that a query waits for the first revision, or for one that a verdict was ahead of. */
const HOLD: u64 = 1_000_000;
/** Tells the view of a rewritten name from that of an alias, whose TTL is less. */
const REWRITTEN_VIEW: u64 = 1 << 32;
const CLIENT_TABLE_OCTETS: u32 = 4 << 20;

export class Flow extends Receiver implements ExchangeListener, SyncListener {
  /** Monotonic microseconds: when the callback that is running began. */
  now: u64 = 0;
  isDraining: bool = false;
  readonly clients: Clients = new Clients();
  readonly sync!: Sync;
  readonly exchanges!: Exchanges;
  private readonly answers: AnswerStores;
  private readonly verdicts: VerdictCache;
  private readonly targets!: TargetJudge;
  private readonly subjects: ClientTable;
  private readonly fetches!: Fetches;
  private readonly replies!: Replies;
  private readonly parking!: Parking;
  private readonly slots!: DecisionSlots;
  private readonly asking!: Asking;
  private readonly storms: Storms;
  private readonly mirrors!: Mirrors;
  private readonly draws: Draws;
  private readonly delays: Delays = new Delays();
  /** Queries that wait for a revision. */
  private readonly held: WaitList = new WaitList();
  private readonly unheld: WaitList = new WaitList();
  /** What the query under way is rewritten to, and what that would be. */
  private readonly other: NameKey = new NameKey();
  private readonly another: NameKey = new NameKey();
  readonly mesh!: Mesh;
  private readonly meshAnswers: MeshAnswers = new MeshAnswers();
  /** Queries that wait for the names of their view. */
  private readonly unnamed: WaitList = new WaitList();

  constructor(private readonly settings: Settings) {
    super();
    seedNameHashes(random64());
    const limits = new TtlLimits();
    limits.max = settings.maxTtl;
    limits.maxNegative = settings.maxNegativeTtl;
    limits.stale = settings.staleSeconds;
    this.answers = new AnswerStores(settings.share(settings.answerCacheBytes));
    this.verdicts = new VerdictCache(settings.share(settings.verdictCacheBytes));
    this.mesh = new Mesh(settings.share(settings.meshTableBytes));
    this.subjects = new ClientTable(settings.share(CLIENT_TABLE_OCTETS));
    const buckets = new Buckets(settings.share(settings.meterBytes), random64(), settings.concurrency);
    const storms = new Storms(buckets);
    this.storms = storms;
    this.draws = new Draws(buckets, storms);
    this.exchanges = new Exchanges(
      this,
      new ResponseReader(limits),
      <u64>settings.upstreamTryMilliseconds * 1000,
      settings.upstreamTries,
      <u64>settings.upstreamMilliseconds * 1000,
    );
    this.targets = new TargetJudge(this.verdicts);
    this.parking = new Parking(this.clients, settings);
    this.slots = new DecisionSlots(this.clients, settings);
    this.asking = new Asking(
      this.clients,
      this.slots,
      this.subjects,
      this.verdicts,
      this.answers,
      settings.decisionMilliseconds,
    );
    const events = new Events();
    this.sync = new Sync(
      this,
      events,
      buckets,
      String.UTF8.encode(settings.node),
      String.UTF8.encode(settings.token),
      settings.concurrency,
      <u64>settings.silenceMilliseconds * 1000,
      <u64>settings.lastGoodSeconds * 1_000_000,
    );
    this.mirrors = new Mirrors(this.exchanges, events, this.sync);
    this.fetches = new Fetches(this.answers, this.exchanges, this.mirrors, settings.pendingPerWorker);
    this.replies = new Replies(settings, this.parking, this.draws, events, this.sync);
  }

  // ---- receive -----------------------------------------------------------------------------------------------------

  receive(channel: Channel, ticket: u32, peer: Peer, message: usize, length: u32): void {
    const evidence = peer.evidence;
    if (evidence === null) {
      channel.drop(ticket);
      return;
    }
    const query = this.replies.take();
    query.channel = channel;
    query.ticket = ticket;
    query.peer = peer;
    query.transport = evidence.listener.transport;
    query.receivedAt = this.now;
    const question = query.question;
    switch (question.parse(message, length)) {
      case Parse.Query:
        if (question.class != CLASS_IN) this.reject(query, Rcode.REFUSED, NO_CLASS);
        else if (question.type == Type.AXFR || question.type == Type.IXFR)
          this.reject(query, Rcode.REFUSED, NO_TRANSFER);
        else if (isMetaType(question.type)) this.reject(query, Rcode.NOTIMP, NO_TYPE);
        else if (!(question.flags & Flag.RD)) this.reject(query, Rcode.REFUSED, NOT_RECURSIVE);
        else this.judge(query);
        return;
      case Parse.Ignore:
        channel.drop(ticket);
        this.replies.recycle(query);
        return;
      case Parse.BadVersion:
        this.reject(query, Rcode.BADVERS, BAD_VERSION);
        return;
      case Parse.OtherOpcode:
        this.reject(query, Rcode.NOTIMP, OTHER_OPCODE);
        return;
      default:
        this.reject(query, Rcode.FORMERR, MALFORMED);
    }
  }

  // ---- judge -------------------------------------------------------------------------------------------------------

  private judge(query: Query): void {
    const standing = this.sync.standing(this.now);
    if (standing == Standing.Unknown) {
      this.hold(query);
      return;
    }
    const question = query.question;
    const subject = this.subjects.find(query.peer);
    let verdict: Verdict | null = null;
    if (subject != 0 && standing != Standing.Stale) {
      verdict = this.verdicts.find(subject, question.key, question.type, query.transport, this.now);
    }
    if (verdict === null) {
      this.ask(query, subject, question.key);
      return;
    }
    if (verdict.currentOnly && standing != Standing.Current) {
      this.fail(query, NOT_READY);
      return;
    }
    query.epoch = this.subjects.epoch;
    query.setVerdict(retainVerdict(verdict));
    this.act(query, verdict);
  }

  private act(query: Query, verdict: Verdict): void {
    if (this.comesFromMesh(query, verdict)) return;
    if (verdict.action == Action.Forward) this.forward(query, verdict);
    else if (verdict.action == Action.Deny) this.deny(query, verdict, verdict.soaLabels);
    else this.actBy(query, verdict);
  }

  /** Acts by a verdict with more to it: chance, a delay, a fault. */
  private actBy(query: Query, verdict: Verdict): void {
    let drawn = verdict;
    if (verdict.action == Action.Chance) {
      drawn = this.draws.draw(verdict, query, this.now);
      query.setVerdict(retainVerdict(drawn));
    }
    if (drawn.delayCount != 0 && !query.delayed) {
      const delay = this.delays.draw(drawn);
      query.delayed = true;
      if (delay != 0) {
        if (this.park(query) !== null) this.delays.push(query, this.now, delay);
        return;
      }
    }
    if (this.comesFromMesh(query, drawn)) return;
    if (drawn.action == Action.Forward) this.forward(query, drawn);
    else if (drawn.action == Action.Deny) this.deny(query, drawn, drawn.soaLabels);
    else if (drawn.action == Action.Answer) this.answer(query, drawn);
    else if (drawn.action == Action.Rewrite) this.rewrite(query, drawn);
    else this.replies.disturb(query, drawn, this.now);
  }

  /** A query whose answer was put off, or whose alias was in question, goes on, by the verdict that was drawn for it. */
  private goOn(query: Query): void {
    const verdict = query.verdict;
    query.aliasing = false;
    if (verdict === null || !this.stands(query)) this.rejudge(query);
    else this.actBy(query, verdict);
  }

  /** No verdict is known for `key`: the query waits for a decision, or fails. */
  private ask(query: Query, subject: u64, key: NameKey): void {
    if (this.failsafe(query)) return;
    if (++query.decisions > MAX_DECISIONS) {
      this.fail(query, CHANGING);
      return;
    }
    const client = this.park(query);
    if (client === null) return;
    if (!this.parking.hold(query)) {
      this.fail(query, TOO_MANY);
      return;
    }
    query.askedAt = this.now;
    if (!this.asking.ask(query, client, subject, key)) this.fail(query, NOT_READY);
  }

  /**
   * What happens while the policy service is away, to a question that no verdict in force covers: it fails, since nothing
   * goes out that was not approved, nor by a verdict of old for a tenant that wants none. A failure is not cached, and is
   * no denial. (Verdicts that were found are good while Sync's standing is better than Stale.)
   */
  private failsafe(query: Query): bool {
    if (this.sync.isConfirmed(this.now)) return false;
    this.fail(query, NOT_READY);
    return true;
  }

  /** The HTTP call of a decision ended; false where the call is none. */
  onDecision(token: u32, headerCount: u32, bodySize: u32): bool {
    const decision = this.asking.ended(token, headerCount, bodySize, this.sync, this.now);
    if (decision === null) return false;
    const client = this.clients.of(decision.peer);
    const came = this.asking.came;
    for (let waiter = decision.waiters.shift(); waiter !== null; waiter = decision.waiters.shift()) {
      const query = changetype<Query>(waiter);
      query.decisionMicroseconds += this.now - query.askedAt;
      if (came == Came.Verdict) this.resume(query);
      else if (came == Came.Early) this.held.push(query);
      else if (came == Came.Old) this.rejudge(query);
      else this.fail(query, NOT_READY);
    }
    this.asking.recycle(decision);
    this.wake(client);
    return true;
  }

  /** Decisions that waited for a slot of this client go on. */
  private wake(client: Client): void {
    // As many as may be under way: one that finds its tenant's slots taken goes back to the end of the list.
    for (let n = this.settings.decisionsPerClient; n > 0; n--) {
      const query = this.slots.next(client);
      if (query === null) return;
      this.resume(query);
    }
  }

  /** Goes on with a query whose decision has come, or may be asked for now. */
  private resume(query: Query): void {
    if (query.answer !== null) this.judgeTargets(query);
    else if (query.aliasing) this.goOn(query);
    else this.judge(query);
  }

  /** Whether the verdict that the query goes by still is one of its client's, in the revision in force. */
  private stands(query: Query): bool {
    const subjects = this.subjects;
    if (query.epoch == subjects.epoch) return true;
    const verdict = query.verdict;
    if (verdict === null || query.epoch < subjects.revised || subjects.find(query.peer) != verdict.subject)
      return false;
    query.epoch = subjects.epoch;
    return true;
  }

  /** The policy has changed since the query was judged, or its client is somebody else. */
  private rejudge(query: Query): void {
    query.target = 0;
    query.aliasing = false;
    query.own = false;
    query.searched = false;
    query.spared = 0;
    query.setAuditedTarget(null);
    query.setRewritten(null);
    if (++query.rejudged > MAX_REJUDGED) this.fail(query, CHANGING);
    else this.judge(query);
  }

  // ---- names of the mesh -------------------------------------------------------------------------------------------

  @inline
  private comesFromMesh(query: Query, verdict: Verdict): bool {
    return (
      verdict.meshView != 0 && verdict.action != Action.Rewrite && this.answerByMesh(query, verdict, query.question.key)
    );
  }

  /** Answers by what names of the mesh, which the verdict says are the client's, have of `name`; false where they have no word. */
  private answerByMesh(query: Query, verdict: Verdict, name: NameKey): bool {
    const names = this.meshAnswers;
    const view = this.mesh.view(verdict.meshView);
    if (view === null) {
      if (this.mesh.want(verdict.meshView)) this.sync.sendInterest(this.mesh.views);
      if (this.sync.standing(this.now) != Standing.Current) this.fail(query, NOT_READY);
      else if (this.park(query) !== null) this.unnamed.push(query);
      return true;
    }
    const found = names.find(this.mesh.table, view, query.question, name, this.now);
    if (found == Found.Nothing) return false;
    if (found == Found.Answer) this.deliverOwn(query);
    else if (found == Found.Alias) this.followOut(query);
    else this.fail(query, NO_NAMES);
    return true;
  }

  /** Delivers what the name table has answered, if the client may know every name in it. */
  private deliverOwn(query: Query): void {
    const names = this.meshAnswers;
    const answer = names.answer;
    query.setAnswer(answer);
    query.own = true;
    query.searched = names.searched;
    query.spared = names.spared;
    query.target = 0;
    query.view = 0;
    if (query.question.type == Type.ANY && answer !== null && answer.rcode == Rcode.NOERROR) {
      this.replies.any(query, Outcome.Answered, this.now);
    } else this.judgeTargets(query);
  }

  /** What a client's search list leads to, and it may not know, is not there: it goes on with its list. */
  private missOwn(query: Query): void {
    this.meshAnswers.missing(query.question, this.mesh.table, this.now);
    this.meshAnswers.searched = false;
    this.meshAnswers.spared = 0;
    this.deliverOwn(query);
  }

  /** A name of the mesh that is an alias of one outside: that is judged, and asked for, as if the client had asked. */
  private followOut(query: Query): void {
    const names = this.meshAnswers;
    this.targets.key.copy(names.alias);
    const judged = this.judgeAlias(query);
    if (judged === null) return;
    if (judged.action == Action.Forward) this.exchangeAlias(query, judged);
    else if (names.searched) this.missOwn(query);
    else if (judged.action == Action.Deny) this.deny(query, judged, max(query.question.key.labels, 1) - 1);
    else this.fail(query, NO_UPSTREAM);
  }

  private exchangeAlias(query: Query, judged: Verdict): void {
    const names = this.meshAnswers;
    const alias = names.alias;
    query.spared = names.spared;
    // An answer behind an alias is none to the alias's own name.
    if (this.answerFromCache(query, mix(mix(judged.view, alias.hash), names.aliasTtl))) return;
    const exchange = this.exchange(query, judged, false);
    if (exchange === null) return;
    exchange.asked.behindAlias(alias.at, alias.length, names.aliasTtl);
    this.fetches.start(exchange, query, judged, this.now);
  }

  /** In a view of this query's detour; false where nothing is kept there. */
  private answerFromCache(query: Query, view: u64): bool {
    query.view = view;
    query.own = false;
    const known = this.fetches.kept(query, view);
    if (known === null || this.now >= known.expiresAt) {
      query.setAnswer(null);
      return false;
    }
    query.cache = CacheResult.Hit;
    query.setAnswer(retain(known));
    this.judgeTargets(query);
    return true;
  }

  meshBegins(): Array<u64> {
    this.mesh.begin();
    return this.mesh.views;
  }

  meshUpdated(update: usize, length: u32): bool {
    if (!this.mesh.update(update, length)) return false;
    if (!this.mesh.completed) return true;
    this.unnamed.takeAll(this.unheld);
    for (let waiter = this.unheld.shift(); waiter !== null; waiter = this.unheld.shift()) {
      this.judge(changetype<Query>(waiter));
    }
    return true;
  }

  // ---- forward -----------------------------------------------------------------------------------------------------

  private forward(query: Query, verdict: Verdict): void {
    if (query.question.type == Type.ANY) {
      this.replies.any(query, Outcome.Forwarded, this.now);
      return;
    }
    // An answer in hand, from before the policy changed, was asked for in the same view or is of no use.
    if (query.answer !== null && query.view == verdict.view) {
      this.judgeTargets(query);
      return;
    }
    query.view = verdict.view;
    query.setAnswer(null);
    const own = this.fetches.isOwn(query, verdict);
    const answer = own ? changetype<Answer | null>(0) : this.fetches.kept(query, verdict.view);
    if (answer !== null && this.now < answer.expiresAt) {
      query.cache = CacheResult.Hit;
      query.setAnswer(retain(answer));
      query.prefetching = this.fetches.prefetch(query, verdict, answer, this.now);
      this.judgeTargets(query);
      return;
    }
    // A name that was there when it was asked for last may be asked for again.
    if (answer === null || answer.rcode != Rcode.NOERROR) {
      const storm = this.storms.denialOf(query, this.now);
      if (storm !== null) {
        this.deny(query, storm, 0);
        return;
      }
    }
    const exchange = this.exchange(query, verdict, own);
    if (exchange === null) return;
    const alias = verdict.aliasLength;
    if (alias != 0) exchange.asked.behindAlias(aliasAt(verdict), alias, verdict.ttl);
    this.fetches.start(exchange, query, verdict, this.now);
  }

  /** The query waits for an answer of the verdict's upstream, if there is one. What is returned is for the caller to start. */
  private exchange(query: Query, verdict: Verdict, own: bool): Exchange | null {
    query.cache = CacheResult.Miss;
    const upstream = this.fetches.upstreams.find(verdict.upstream);
    query.upstream = upstream;
    if (upstream === null) this.fail(query, NO_UPSTREAM);
    else if (this.park(query) !== null) return this.fetches.join(query, upstream, verdict, own);
    return null;
  }

  mirrored(exchange: Exchange, answer: Answer | null): void {
    this.mirrors.ended(exchange, answer, this.now);
    release(answer);
  }

  exchanged(exchange: Exchange, answer: Answer | null): void {
    const result = this.fetches.ended(exchange, answer, this.now);
    for (let waiter = exchange.waiters.shift(); waiter !== null; waiter = exchange.waiters.shift()) {
      const query = changetype<Query>(waiter);
      query.setAnswer(result === null ? null : retain(result));
      if (answer !== null) {
        query.server = exchange.answeredBy;
        query.upstreamMicroseconds = this.now - exchange.sentAt;
        query.upstreamAfterMicroseconds = exchange.sentAt - min(exchange.sentAt, query.receivedAt);
      }
      query.target = 0;
      this.storms.count(query, this.now);
      if (!this.stands(query)) this.rejudge(query);
      else this.deliver(query);
    }
    release(answer);
  }

  // ---- deliver -----------------------------------------------------------------------------------------------------

  private deliver(query: Query): void {
    if (query.answer === null) {
      const stale = this.fetches.kept(query, query.view);
      if (stale === null || this.now >= stale.staleUntil) {
        this.fail(query, NO_UPSTREAM);
        return;
      }
      query.stale = this.now >= stale.expiresAt;
      if (query.stale) query.cache = CacheResult.Stale;
      query.setAnswer(retain(stale));
    }
    this.judgeTargets(query);
  }

  /** The answer goes out if the client may have what it says and every name that it points to. */
  private judgeTargets(query: Query): void {
    const answer = query.answer;
    if (answer === null || !this.stands(query)) {
      this.rejudge(query);
      return;
    }
    if ((answer.denial | answer.audit) != 0 && this.denyByResponse(query, answer)) return;
    const judged = this.targets.judge(query, answer, this.now);
    if (judged == Judged.Unknown) {
      this.ask(query, query.peer.subject, this.targets.key);
      return;
    }
    const denial = this.targets.denial;
    if (judged == Judged.Denied && denial !== null) {
      this.denyAnswer(query, denial);
      return;
    }
    const by = query.verdict;
    if (query.own) {
      this.replies.writer.answer(query.question, query.transport, answer, this.now, false, null, null);
      this.send(query, Outcome.Answered, by);
      return;
    }
    const rewritten = query.rewritten;
    if (isPositive(answer) && (strips(by) || strips(rewritten))) {
      this.replies.writer.stripped(
        query.question,
        query.transport,
        answer,
        this.now,
        by === null || by.edeCode != Ede.None,
      );
    } else this.replies.writer.answer(query.question, query.transport, answer, this.now, query.stale, by, rewritten);
    this.send(query, by !== null && by.action == Action.Answer ? Outcome.Answered : Outcome.Forwarded, by);
  }

  // ---- ends --------------------------------------------------------------------------------------------------------

  /** Denies the query if a response rule denies its answer. The rules are those of every verdict on this client. */
  private denyByResponse(query: Query, answer: Answer): bool {
    const verdict = query.verdict;
    const rules = verdict === null ? changetype<ResponseRules | null>(0) : verdict.responses;
    if (rules === null || max(answer.denial, answer.audit) > rules.count) {
      this.fail(query, CHANGING);
      return true;
    }
    if (answer.audit != 0 && query.auditedTarget === null) {
      query.setAuditedTarget(retainVerdict(responseRule(rules, answer.audit - 1).outcome));
    }
    if (answer.denial == 0) return false;
    this.denyAnswer(query, responseRule(rules, answer.denial - 1).outcome);
    return true;
  }

  /** What the name has is denied, not the name: the SOA is of its parent. */
  private denyAnswer(query: Query, verdict: Verdict): void {
    if (query.searched) this.missOwn(query);
    else this.deny(query, verdict, max(query.question.key.labels, 1) - 1);
  }

  /** Answers with the rule's records; what an alias has, and is not asked for itself, is asked for upstream. */
  private answer(query: Query, verdict: Verdict): void {
    const type = query.question.type;
    if (verdict.aliasLength != 0 && type != Type.CNAME && type != Type.ANY) {
      this.follow(query, verdict);
    } else if (type == Type.ANY) {
      this.forward(query, verdict);
    } else {
      this.replies.writer.denial(query.question, query.transport, verdict, verdict.soaLabels);
      this.send(query, Outcome.Answered, verdict);
    }
  }

  /** Nothing is asked upstream that the client may not ask for: an alias is judged before it goes out. */
  private follow(query: Query, verdict: Verdict): void {
    this.targets.key.set(aliasAt(verdict), verdict.aliasLength);
    const judged = this.judgeAlias(query);
    if (judged === null) return;
    if (judged.action == Action.Deny) this.deny(query, judged, max(query.question.key.labels, 1) - 1);
    else this.forward(query, verdict);
  }

  /** What the client may have of the alias in `targets.key`; null where the query waits for that, or has failed. */
  private judgeAlias(query: Query): Verdict | null {
    const judged = this.targets.judgeAlias(query, this.now);
    if (judged === null) {
      query.setAnswer(null);
      query.aliasing = true;
      this.ask(query, query.peer.subject, this.targets.key);
    }
    return judged;
  }

  /** A rewritten name is judged and answered as if the client had asked for it, but under the client's own name. */
  private rewrite(query: Query, verdict: Verdict): void {
    const key = query.question.key;
    const name = this.other;
    if (!rewrite(name, key, verdict)) {
      // RFC 6672, section 2.2, of what a DNAME makes too long.
      this.replies.writer.error(query.question, query.transport, Rcode.YXDOMAIN, TOO_LONG);
      this.send(query, Outcome.Failed, verdict);
      return;
    }
    if (name.equals(key.at, key.length)) {
      if (verdict.meshView == 0 || !this.answerByMesh(query, verdict, key)) this.forward(query, verdict);
      return;
    }
    this.targets.key.copy(name);
    const judged = this.judgeAlias(query);
    if (judged === null) return;
    query.setRewritten(retainVerdict(judged));
    if (judged.action == Action.Rewrite && !this.isKept(name, judged)) this.fail(query, REWRITTEN_TWICE);
    else if (judged.meshView != 0 && this.answerByMesh(query, judged, name)) return;
    else if (judged.action == Action.Deny) this.denyAnswer(query, judged);
    else if (judged.action == Action.Answer) this.answer(query, judged);
    else if (judged.action == Action.Fault) this.replies.disturb(query, judged, this.now);
    else this.exchangeRewritten(query, judged, name);
  }

  /** Whether a rule rewrites the name to itself. */
  private isKept(name: NameKey, verdict: Verdict): bool {
    return rewrite(this.another, name, verdict) && this.another.equals(name.at, name.length);
  }

  private exchangeRewritten(query: Query, judged: Verdict, name: NameKey): void {
    if (query.question.type == Type.ANY) {
      this.replies.any(query, Outcome.Forwarded, this.now);
      return;
    }
    // An answer to the other name is none to this one.
    if (this.answerFromCache(query, mix(mix(judged.view, name.hash), REWRITTEN_VIEW))) return;
    const storm = this.storms.denialOf(query, this.now);
    if (storm !== null) {
      this.deny(query, storm, 0);
      return;
    }
    const exchange = this.exchange(query, judged, false);
    if (exchange === null) return;
    exchange.asked.rewrittenTo(name);
    this.fetches.start(exchange, query, judged, this.now);
  }

  private reject(query: Query, rcode: u32, reason: Reason): void {
    this.subjects.find(query.peer);
    this.replies.reject(query, rcode, reason, this.now);
  }

  private fail(query: Query, reason: Reason): void {
    this.replies.fail(query, reason, this.now);
  }

  private deny(query: Query, verdict: Verdict, soaLabels: u32): void {
    this.replies.deny(query, verdict, soaLabels, this.now);
  }

  private send(query: Query, outcome: Outcome, verdict: Verdict | null): void {
    this.replies.send(query, outcome, verdict, this.now);
  }

  /** Parks the query and returns its client; the query has failed where that is null. */
  private park(query: Query): Client | null {
    if (this.parking.park(query)) return query.client;
    const denial = this.parking.denial;
    if (denial !== null) this.deny(query, denial, 0);
    else this.fail(query, TOO_MANY);
    return null;
  }

  private hold(query: Query): void {
    if (this.park(query) !== null) this.held.push(query);
  }

  // ---- revisions and time ------------------------------------------------------------------------------------------

  revised(evidence: u32, revision: usize, length: u32, listsChanged: usize, listsChangedLength: u32): void {
    this.mesh.revised();
    if (listsChanged != 0 && this.verdicts.forgetNear(listsChanged, listsChangedLength)) this.subjects.renew();
    else {
      this.subjects.forget(evidence);
      this.verdicts.clear();
    }
    this.fetches.upstreams.read(revision, length);
    this.exchanges.closeUnused(this.fetches.upstreams.servers);
    this.held.takeAll(this.unheld);
    for (let waiter = this.unheld.shift(); waiter !== null; waiter = this.unheld.shift()) {
      this.rejudge(changetype<Query>(waiter));
    }
  }

  /** The peer's tenant, where it is known. */
  tenantOf(peer: Peer): u32 {
    this.subjects.find(peer);
    return peer.tenant;
  }

  draining(): void {
    this.isDraining = true;
  }

  clientsChanged(): void {
    this.subjects.forgetClients();
  }

  private checkUpstreams(now: u64): void {
    const checked = this.fetches.upstreams.checked;
    for (let i = 0; i < checked.length; i++) this.exchanges.check(unchecked(checked[i]), now);
  }

  tick(): void {
    const now = this.now;
    this.exchanges.tick(now);
    this.checkUpstreams(now);
    this.sync.tick(now);
    this.mesh.giveBack();
    for (let query = this.delays.next(now); query !== null; query = this.delays.next(now)) this.goOn(query);
    const holdEnds = now > HOLD ? now - HOLD : 0;
    this.failOlder(this.held, holdEnds, NOT_READY);
    this.failOlder(this.unnamed, holdEnds, NOT_READY);
    const limit = <u64>this.settings.upstreamMilliseconds * 1000;
    const waitEnds = now > limit ? now - limit : 0;
    for (let i = this.slots.waitingClients - 1; i >= 0; i--) {
      const client = this.slots.client(i);
      this.failOlder(client.waiting, waitEnds, TOO_MANY);
      this.wake(client);
      this.slots.settled(i);
    }
  }

  /** Fails those of the list that were received before `time`. */
  private failOlder(list: WaitList, time: u64, reason: Reason): void {
    for (let query = takeOlder(list, time); query !== null; query = takeOlder(list, time)) this.fail(query, reason);
  }
}

/** Whether records of the type that was asked are left out of what an upstream answers. */
function strips(verdict: Verdict | null): bool {
  return verdict !== null && verdict.strip && (verdict.action == Action.Forward || verdict.action == Action.Rewrite);
}

/** Whether there is something in it. */
function isPositive(answer: Answer): bool {
  return answer.rcode == Rcode.NOERROR && answer.answerCount != 0;
}

/** Types that only queries have, or that no question can have (RFC 6895, section 3.1), but ANY. */
function isMetaType(type: u32): bool {
  return type == 0 || type == Type.OPT || (type >= 128 && type < <u32>Type.ANY);
}
