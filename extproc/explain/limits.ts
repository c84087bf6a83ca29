/**
 * What a verdict says of its tenant's limits, in words.
 */
import { LIMITS } from "../compile/compile-limits.ts";
import { MeterKind, type MeterMessage, type Verdict } from "../compiled/messages.ts";

export function describeLimits({ client, alternatives }: Verdict): string[] {
  const counted = alternatives.flatMap(({ policy, meter }) =>
    policy === LIMITS && meter !== undefined ? [describeRate(meter)] : [],
  );
  const { pending, connections = 0, cache_share: share = 0 } = client.limits ?? {};
  return [
    ...counted,
    ...(pending?.meter === undefined ? [] : [`${pending.meter.count} waiting queries`]),
    ...(connections === 0 ? [] : [`${connections} connections`]),
    ...(share === 0 ? [] : [`${share} % of the cache`]),
  ];
}

function describeRate({ kind, count, per_ms, burst }: MeterMessage): string {
  const what = kind === MeterKind.UNIQUE_NAMES ? "new names" : "queries";
  return `${count} ${what} in ${per_ms / 1000} s${burst === count ? "" : `, ${burst} at once`}`;
}
