// Storms of NXDOMAIN: a client asks for more names below one registered name that are not there than its tenant's guard lets
// through, be they somebody's random ones or what a search list has made of all others. What upstreams answer is counted,
// so that names which are kept, or are there, cost nothing; and what would be asked of them in a storm is not.

import { Buckets } from "../meter/buckets";
import { apexLabels } from "../meter/information";
import { Meter } from "../meter/meter";
import { CacheResult } from "../telemetry/telemetry";
import { limitsOf } from "../verdict/tenant-limits";
import { Action, meterOf, Verdict } from "../verdict/verdict";
import { hashLabel, mix } from "../wire/name";
import { Rcode } from "../wire/types";
import { Query } from "./query";

@final
export class Storms {
  private who: u64 = 0;
  private apex: u64 = 0;

  constructor(private readonly buckets: Buckets) {}

  /** What a query gets that would be asked upstream; null where it may be asked. */
  denialOf(query: Query, now: u64): Verdict | null {
    const denial = guardOf(query);
    if (denial === null) return null;
    const meter = meterOf(denial);
    this.address(meter, query);
    return this.buckets.has(meter, this.who, this.apex, now) ? null : denial;
  }

  /** Counts what an upstream has answered. */
  count(query: Query, now: u64): void {
    if (!isMissing(query)) return;
    const denial = guardOf(query);
    if (denial === null) return;
    const meter = meterOf(denial);
    this.address(meter, query);
    this.buckets.owe(meter, this.who, this.apex, now);
  }

  /** Counts for a guard in mode Audit; whether an upstream's answer is one too many. */
  isOneTooMany(meter: Meter, query: Query, now: u64): bool {
    if (!isMissing(query)) return false;
    this.address(meter, query);
    return !this.buckets.takeOf(meter, this.who, this.apex, 1, now);
  }

  private address(meter: Meter, query: Query): void {
    const peer = query.peer;
    const key = query.question.key;
    // A registered name that is not there itself is one below what it would be registered under.
    const labels = min(apexLabels(key), max(key.labels, 1) - 1);
    this.who = meter.byClient ? mix(peer.high, peer.isIPv4 ? peer.low : 0) : 0;
    this.apex = <u64>hashLabel(key.suffixAt(labels), key.suffixLength(labels));
  }
}

function guardOf(query: Query): Verdict | null {
  const limits = limitsOf(query.peer.tenant);
  return limits === null ? changetype<Verdict | null>(0) : limits.storm;
}

/** Whether an upstream has just said of the name, or what it is rewritten to, but not of what an alias of ours leads to, that it is not there. */
function isMissing(query: Query): bool {
  const answer = query.answer;
  const verdict = query.verdict;
  if (answer === null || answer.rcode != Rcode.NXDOMAIN || query.cache != CacheResult.Miss) return false;
  if (query.rewritten !== null) return true;
  return verdict !== null && verdict.action == Action.Forward && query.view == verdict.view;
}
