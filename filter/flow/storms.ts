// Storms of NXDOMAIN: a client asks for more names below one registered name that are not there than its tenant's guard lets
// through, be they somebody's random ones or what a search list has made of all others. What upstreams answer is counted,
// so that names which are kept, or are there, cost nothing; and what would be asked of them in a storm is not.

import { Buckets } from "../meter/buckets";
import { apexLabels } from "../meter/information";
import { Meter } from "../meter/meter";
import { CacheResult } from "../telemetry/telemetry";
import { limitsOf } from "../verdict/tenant-limits";
import { Action, meterOf, Verdict } from "../verdict/verdict";
import { hashLabel, mix, NameKey } from "../wire/name";
import { Rcode } from "../wire/types";
import { Query } from "./query";

@final
export class Storms {
  constructor(private readonly buckets: Buckets) {}

  /** What a query gets that would be asked upstream; null where it may be asked. */
  denialOf(query: Query, now: u64): Verdict | null {
    const denial = guardOf(query);
    if (denial === null) return null;
    const meter = meterOf(denial);
    const who = whoOf(meter, query);
    const key = query.question.key;
    const apex = apexOf(key);
    for (let labels: u32 = 0; labels <= apex; labels++) {
      if (!this.buckets.has(meter, who, placeOf(key, apex, labels), now)) return denial;
    }
    return null;
  }

  /** Counts what an upstream has answered. */
  count(query: Query, now: u64): void {
    if (!isMissing(query)) return;
    const denial = guardOf(query);
    if (denial === null) return;
    const meter = meterOf(denial);
    this.buckets.owe(meter, whoOf(meter, query), missingFrom(query), now);
  }

  /** Counts for a guard in mode Audit; whether an upstream's answer is one too many. */
  isOneTooMany(meter: Meter, query: Query, now: u64): bool {
    if (!isMissing(query)) return false;
    return !this.buckets.takeOf(meter, whoOf(meter, query), missingFrom(query), 1, now);
  }
}

function whoOf(meter: Meter, query: Query): u64 {
  const peer = query.peer;
  return meter.byClient ? mix(peer.high, peer.isIPv4 ? peer.low : 0) : 0;
}

/** A registered name that is not there itself is one below what it would be registered under. */
function apexOf(key: NameKey): u32 {
  return min(apexLabels(key), max(key.labels, 1) - 1);
}

/** Where an answer of NXDOMAIN counts: below the registered name, or below the zone that says not even that is there. */
function missingFrom(query: Query): u64 {
  const key = query.question.key;
  const answer = query.answer;
  const apex = apexOf(key);
  // The zone is one of the name that it was rewritten to.
  if (answer === null || query.rewritten !== null) return placeOf(key, apex, apex);
  return placeOf(key, apex, min(apex, <u32>answer.zoneLabels));
}

/** Above the registered name, only names of as many labels count together: one storm is not to take all others with it. */
function placeOf(key: NameKey, apex: u32, labels: u32): u64 {
  const depth: u64 = labels == apex ? 0 : key.labels - labels;
  return (depth << 32) | <u64>hashLabel(key.suffixAt(labels), key.suffixLength(labels));
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
