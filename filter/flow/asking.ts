// Asking the policy service for what no known verdict covers, and keeping what it says. Identical questions are asked once,
// and a client or tenant that asks much waits for slots of its own.

import { AnswerStores } from "../answer/answer-stores";
import { readLength } from "../host/host";
import { Sync } from "../sync/sync";
import { countDecision } from "../telemetry/telemetry";
import { ClientTable } from "../verdict/clients";
import { Decision, Decisions } from "../verdict/decisions";
import { releaseVerdict } from "../verdict/verdict";
import { VerdictCache } from "../verdict/verdict-cache";
import { VerdictReader } from "../verdict/verdict-reader";
import { NameKey } from "../wire/name";
import { keepApart } from "./cache-shares";
import { Client, Clients } from "./clients";
import { DecisionSlots } from "./parking";
import { Query } from "./query";

/** What became of a decision. */
export const enum Came {
  Nothing,
  /** A verdict that is kept now. */
  Verdict,
  /** By a revision that was left behind, or about another client. */
  Old,
  /** By a revision that this worker was not told of yet. */
  Early,
}

@final
export class Asking {
  /** Of the decision that `ended` returned last. */
  came: Came = Came.Nothing;
  private readonly decisions: Decisions;
  private readonly reader: VerdictReader = new VerdictReader();

  constructor(
    private readonly clients: Clients,
    private readonly slots: DecisionSlots,
    private readonly subjects: ClientTable,
    private readonly verdicts: VerdictCache,
    private readonly answers: AnswerStores,
    milliseconds: u32,
  ) {
    this.decisions = new Decisions(milliseconds);
  }

  /** The query, which is parked, waits for a decision on `key`, or for a slot. False where the service cannot be asked. */
  ask(query: Query, client: Client, subject: u64, key: NameKey): bool {
    const type = query.question.type;
    const underWay = this.decisions.underWay(query.peer, subject, query.transport, key, type);
    if (underWay !== null) {
      underWay.waiters.push(query);
      return true;
    }
    if (!this.slots.take(client, subject)) {
      this.slots.wait(client, query);
      return true;
    }
    const decision = this.decisions.start(query.peer, subject, query.transport, key, type);
    if (decision === null) {
      this.slots.give(client, subject);
      return false;
    }
    decision.epoch = this.subjects.epoch;
    decision.waiters.push(query);
    return true;
  }

  /**
   * The decision whose HTTP call ended, and what `came` of it by what `sync` was told: the caller sees to those who wait,
   * and gives it back. Null where the call is none.
   */
  ended(token: u32, headerCount: u32, bodySize: u32, sync: Sync, now: u64): Decision | null {
    const decision = this.decisions.take(token);
    if (decision === null) return null;
    this.slots.give(this.clients.of(decision.peer), decision.subject);
    const body = this.decisions.body(headerCount, bodySize);
    this.came = body != 0 && this.reader.read(body, readLength) ? this.keep(decision, sync, now) : Came.Nothing;
    countDecision(this.came == Came.Verdict || this.came == Came.Early, this.came == Came.Old);
    return decision;
  }

  recycle(decision: Decision): void {
    this.decisions.recycle(decision);
  }

  private keep(decision: Decision, sync: Sync, now: u64): Came {
    const reader = this.reader;
    const verdict = reader.verdict;
    if (verdict === null) return Came.Nothing;
    let came = Came.Nothing;
    const age = sync.compare(reader.revision, reader.service, reader.lists, now);
    if (age > 0) came = Came.Early;
    else if (age < 0 || (decision.subject != 0 && decision.subject != verdict.subject)) {
      came = Came.Old;
    } else {
      // Who the client was when this was asked may be no longer so: it is asked again.
      if (decision.epoch == this.subjects.epoch) {
        this.subjects.put(decision.peer, reader.prefix, verdict.subject, verdict.tenant);
      }
      if (this.verdicts.put(reader, decision.key, decision.type, decision.transport, now)) came = Came.Verdict;
      keepApart(this.answers, verdict);
    }
    releaseVerdict(verdict);
    return came;
  }
}
