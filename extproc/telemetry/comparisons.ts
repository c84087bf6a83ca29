/**
 * What second upstreams have said of questions (`Mirror`), since the service runs; and each in words.
 */

import { presentName } from "../dns/names.ts";
import { rcodeName, typeName } from "../dns/numbers.ts";
import type { Comparison__Output } from "../gen/types/dns/mesh/v1/Comparison.ts";
import { toNumber } from "../messages/long.ts";
import { OTHER } from "./bounded-labels.ts";
import { COMPARISONS, nameOf } from "./labels.ts";
import type { EventCounts } from "./metrics.ts";
import { isoTime, presentAddresses } from "./query-record.ts";

/** Pairs of a tenant and an upstream that are counted by themselves. */
const MAX_PAIRS = 10_000;

export class Comparisons {
  /** By tenant and upstream: how often each result came. */
  readonly #counts = new Map<string, { tenant: string; upstream: string; results: number[] }>();

  add({ tenant, upstream, result }: Comparison__Output): void {
    const key = JSON.stringify([tenant, upstream]);
    const known =
      this.#counts.get(key) ?? (this.#counts.size < MAX_PAIRS ? { tenant, upstream, results: [] } : undefined);
    const counted = known ?? this.#counts.get(OTHER) ?? { tenant: OTHER, upstream: OTHER, results: [] };
    this.#counts.set(known === undefined ? OTHER : key, counted);
    counted.results[result] = (counted.results[result] ?? 0) + 1;
  }

  list(): EventCounts["comparisons"] {
    return [...this.#counts.values()].map(({ results, ...pair }) => ({
      ...pair,
      results: Array.from(COMPARISONS, (_, result) => results[result] ?? 0),
    }));
  }
}

/** A line of the query log, without its final line feed. */
export function comparisonRecord(one: Comparison__Output): string {
  return JSON.stringify({
    time: isoTime(toNumber(one.time_us)),
    tenant: one.tenant,
    qname: presentName(one.qname),
    qtype: typeName(one.qtype),
    mirror: nameOf(COMPARISONS, one.result),
    upstream: one.upstream,
    rcode: rcodeName(one.rcode),
    first_rcode: rcodeName(one.first_rcode),
    answers: one.answers.length === 0 ? undefined : presentAddresses(one.answers),
    latency_us: one.latency_us,
    revision: toNumber(one.revision),
  });
}
