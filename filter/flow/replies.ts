// The ways in which a query ends: what is written for its client, counted, and told to the policy service.

import { AnswerWriter, DO_BIT, Reason } from "../answer/write";
import { Sync } from "../sync/sync";
import { Events } from "../telemetry/events";
import { Audited, countQuery, countSearch, Outcome } from "../telemetry/telemetry";
import { tenant } from "../telemetry/tenants";
import { Form, Verdict } from "../verdict/verdict";
import { Question } from "../wire/question";
import { Flag, Rcode, read16 } from "../wire/types";
import { comesUp, Draws } from "./chance";
import { Parking } from "./parking";
import { Query } from "./query";
import { QueryEvent } from "./query-event";
import { Settings } from "./settings";

@final
export class Replies {
  readonly writer: AnswerWriter;
  private readonly patience: u64;
  private readonly event: QueryEvent = new QueryEvent();
  private readonly pool: Array<Query> = new Array<Query>();

  constructor(
    settings: Settings,
    private readonly parking: Parking,
    private readonly draws: Draws,
    private readonly events: Events,
    private readonly sync: Sync,
  ) {
    this.writer = new AnswerWriter(settings.udpSize, settings.streamIdleMilliseconds);
    this.patience = <u64>settings.patienceMilliseconds * 1000;
  }

  /** A query that `send` or `recycle` takes back. */
  take(): Query {
    return this.pool.length > 0 ? this.pool.pop() : new Query();
  }

  recycle(query: Query): void {
    this.parking.unpark(query);
    query.clear();
    this.pool.push(query);
  }

  reject(query: Query, rcode: u32, reason: Reason, now: u64): void {
    this.writer.error(query.question, query.transport, rcode, reason);
    this.send(query, Outcome.Rejected, null, now);
  }

  fail(query: Query, reason: Reason, now: u64): void {
    this.writer.error(query.question, query.transport, Rcode.SERVFAIL, reason);
    this.send(query, Outcome.Failed, query.verdict, now);
  }

  /** `soaLabels`: the labels of the name that the answer's SOA is of. */
  deny(query: Query, verdict: Verdict, soaLabels: u32, now: u64): void {
    if (verdict.form == Form.Drop) this.writer.nothing();
    else this.writer.denial(query.question, query.transport, verdict, soaLabels);
    this.send(query, verdict.metered ? Outcome.Limited : Outcome.Denied, verdict, now);
  }

  disturb(query: Query, verdict: Verdict, now: u64): void {
    if (verdict.form == Form.Drop) this.writer.nothing();
    else this.writer.fault(query.question, query.transport, verdict);
    this.send(query, Outcome.Faulted, verdict, now);
  }

  /** ANY of a name that may be asked for (RFC 8482). */
  any(query: Query, outcome: Outcome, now: u64): void {
    this.writer.any(query.question, query.transport);
    this.send(query, outcome, query.verdict, now);
  }

  /** Sends what the writer holds, if anything, counts it, and is done with the query. */
  send(query: Query, outcome: Outcome, verdict: Verdict | null, now: u64): void {
    const channel = query.channel;
    const writer = this.writer;
    const waited = now - query.receivedAt;
    if (channel !== null && channel.open) {
      if (waited > this.patience || writer.length == 0) channel.drop(query.ticket);
      else channel.send(query.ticket, writer.at, writer.length, writer.ttl);
    }
    const question = query.question;
    const type = question.hasQuestion ? question.type : 0;
    const audited = this.draws.drawAudits(query, now);
    countQuery(query.peer.tenant, query.transport, type, outcome, writer.rcode, query.cache, audited, waited);
    if (query.spared != 0 && writer.rcode == Rcode.NOERROR) countSearch(query.peer.tenant, query.spared);
    const logged = isLogged(query, outcome, verdict, audited);
    if (logged || this.events.all) this.tell(query, outcome, verdict, waited, logged, now);
    this.recycle(query);
  }

  private tell(query: Query, outcome: Outcome, verdict: Verdict | null, waited: u64, logged: bool, now: u64): void {
    const event = this.event;
    event.query = query;
    event.outcome = outcome;
    event.verdict = verdict;
    event.audits = this.draws.own;
    event.targetAudits = this.draws.target;
    event.rcode = this.writer.rcode;
    event.flags = flagsOf(query.question, this.writer);
    event.ede = this.writer.ede;
    event.ttl = this.writer.ttl;
    event.time = query.receivedAt + this.events.wallOffset;
    event.microseconds = waited;
    event.revision = this.sync.sequence;
    event.logged = logged;
    this.events.add(event);
    if (this.events.hasFull || this.events.prompt) this.sync.sendEvents(now);
  }
}

function flagsOf(question: Question, writer: AnswerWriter): u32 {
  const flags = writer.length == 0 ? question.flags : read16(writer.at + 2);
  return (flags & (Flag.AA | Flag.TC | Flag.RD | Flag.RA | Flag.AD | Flag.CD)) | (question.dnssec ? DO_BIT : 0);
}

/** Whether a rule has kept the upstream's answer from the client. */
function isOfNote(outcome: Outcome): bool {
  return outcome == Outcome.Denied || outcome == Outcome.Faulted || outcome == Outcome.Limited;
}

/** Whether the query log has it. What no verdict was found for fares as its tenant's other queries do, as far as that is known. */
function isLogged(query: Query, outcome: Outcome, verdict: Verdict | null, audited: Audited): bool {
  if (verdict === null) {
    const who = tenant(query.peer.tenant);
    return who.logAll && isDrawn(who.sample);
  }
  return isOfNote(outcome) || audited != Audited.Untouched || (verdict.logAll && isDrawn(verdict.sample));
}

/** `sample`: of 10,000; 0 is all. */
function isDrawn(sample: u32): bool {
  return sample == 0 || comesUp(sample);
}
