/**
 * Queries by tenant, over windows of a minute to seven days, in bounded memory: tenants beyond MAX_TENANTS are counted
 * together, lists share a budget, and what is older than a window is kept coarser.
 */
import { OTHER } from "./bounded-labels.ts";
import type { Window } from "./questions.ts";
import { CountTally, DetailTally } from "./tally.ts";
import { type Cell, type Resolution, Timeline } from "./timeline.ts";

/** Tenants with windows of their own. */
const MAX_TENANTS = 64;
/** Keys of one list and cell of time, for all tenants. */
const LIST_BUDGET = 2000;
const MIN_LIST = 25;
const MAX_LIST = 200;
/** So many keys a list are merged into. */
const MERGED_LIST = 1000;

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const WINDOW_MS: Readonly<Record<Window, number>> = {
  "1m": MINUTE,
  "15m": 15 * MINUTE,
  "1h": HOUR,
  "6h": 6 * HOUR,
  "24h": 24 * HOUR,
  "7d": 168 * HOUR,
};

/** What a chart has points for. */
const COUNT_RESOLUTIONS: readonly Resolution[] = [
  { milliseconds: 10 * SECOND, cells: 90 },
  { milliseconds: MINUTE, cells: 60 },
  { milliseconds: 5 * MINUTE, cells: 72 },
  { milliseconds: 15 * MINUTE, cells: 96 },
  { milliseconds: HOUR, cells: 168 },
];
/** What only sums are shown of. */
const DETAIL_RESOLUTIONS: readonly Resolution[] = [
  { milliseconds: 10 * SECOND, cells: 6 },
  { milliseconds: MINUTE, cells: 15 },
  { milliseconds: 5 * MINUTE, cells: 12 },
  { milliseconds: 30 * MINUTE, cells: 12 },
  { milliseconds: 2 * HOUR, cells: 12 },
  { milliseconds: 12 * HOUR, cells: 14 },
];

interface TenantTimes {
  readonly counts: Timeline<CountTally>;
  readonly details: Timeline<DetailTally>;
}

export interface TenantCounts {
  readonly tenant: string;
  readonly counts: readonly Cell<CountTally>[];
  readonly sum: CountTally;
}

export class Rollup {
  readonly #tenants = new Map<string, TenantTimes>();

  /** Where a query of this tenant goes. */
  at(tenant: string, now: number): { readonly count: CountTally; readonly detail: DetailTally } {
    let times = this.#tenants.get(tenant);
    if (times === undefined) {
      const known = this.#tenants.size < MAX_TENANTS || tenant === OTHER;
      if (!known) return this.at(OTHER, now);
      times = this.#newTimes();
      this.#tenants.set(tenant, times);
    }
    return { count: times.counts.at(now), detail: times.details.at(now) };
  }

  /** Of one tenant or of all, with cells that have something in them; most queries first. */
  counts(now: number, window: Window, tenant?: string): TenantCounts[] {
    const reads: TenantCounts[] = [];
    for (const [name, times] of this.#of(tenant)) {
      const counts = times.counts.read(now, WINDOW_MS[window]);
      if (counts.length === 0) continue;
      const sum = new CountTally();
      for (const { content } of counts) sum.merge(content);
      reads.push({ tenant: name, counts, sum });
    }
    return reads.sort((a, b) => b.sum.counts.queries - a.sum.counts.queries);
  }

  /** Of one tenant or of all, where there is something. */
  details(now: number, window: Window, tenant?: string): ReadonlyMap<string, DetailTally> {
    const sums = new Map<string, DetailTally>();
    for (const [name, { details }] of this.#of(tenant)) {
      const sum = new DetailTally(MERGED_LIST);
      if (details.sum(now, WINDOW_MS[window], sum)) sums.set(name, sum);
    }
    return sums;
  }

  /**
   * Sums of the last so much time that is over, and of as much before that; undefined where so much is not kept. Both are
   * made of whole cells, so that they are equally long.
   */
  twice(
    now: number,
    window: Window,
    tenant?: string,
  ): { readonly last: CountTally; readonly before: CountTally } | undefined {
    const milliseconds = WINDOW_MS[window];
    const step = stepFor(2 * milliseconds);
    if (step === undefined) return undefined;
    const end = now - (now % step);
    const [last, before] = [new CountTally(), new CountTally()];
    for (const [, { counts }] of this.#of(tenant)) {
      for (const { start, content } of counts.read(now, 2 * milliseconds)) {
        if (start >= end - milliseconds && start < end) last.merge(content);
        else if (start < end) before.merge(content);
      }
    }
    return { last, before };
  }

  /** Milliseconds of a cell of counts in this window. */
  stepOf(window: Window): number {
    return stepFor(WINDOW_MS[window]) ?? HOUR;
  }

  /** Forgets tenants of whom nothing is left to be told. */
  expire(now: number): void {
    for (const [name, { counts, details }] of this.#tenants) {
      if (counts.isEmpty(now) && details.isEmpty(now)) this.#tenants.delete(name);
    }
  }

  #of(tenant: string | undefined): Iterable<[string, TenantTimes]> {
    if (tenant === undefined) return this.#tenants;
    const times = this.#tenants.get(tenant);
    return times === undefined ? [] : [[tenant, times]];
  }

  #newTimes(): TenantTimes {
    const capacity = () => Math.min(MAX_LIST, Math.max(MIN_LIST, Math.floor(LIST_BUDGET / this.#tenants.size)));
    return {
      counts: new Timeline(COUNT_RESOLUTIONS, () => new CountTally()),
      details: new Timeline(DETAIL_RESOLUTIONS, () => new DetailTally(capacity())),
    };
  }
}

/** Of the finest cells that are kept for so long. */
function stepFor(milliseconds: number): number | undefined {
  return COUNT_RESOLUTIONS.find((each) => each.milliseconds * each.cells >= milliseconds)?.milliseconds;
}

export function mergeDetails(details: Iterable<DetailTally>): DetailTally {
  const merged = new DetailTally(MERGED_LIST);
  for (const detail of details) merged.merge(detail);
  return merged;
}
