/**
 * What a verdict says of its tenant's limits, in words.
 */
import { GUARDS_POLICY } from "../compile/compile-guards.ts";
import { LIMITS } from "../compile/compile-limits.ts";
import { MeterKind, type MeterMessage, type Verdict } from "../compiled/messages.ts";

export function describeLimits({ client, alternatives, audits }: Verdict): string[] {
  const counted = alternatives.flatMap(({ policy, meter }) =>
    meter !== undefined && (policy === LIMITS || policy === GUARDS_POLICY) ? [describeRate(meter)] : [],
  );
  const onTrial = audits.flatMap(({ policy, meter }) =>
    meter !== undefined && policy === GUARDS_POLICY ? [`${describeRate(meter)} (Audit)`] : [],
  );
  const { pending, storm, connections = 0, cache_share: share = 0 } = client.limits ?? {};
  return [
    ...counted,
    ...(storm?.meter === undefined ? [] : [describeRate(storm.meter)]),
    ...onTrial,
    ...(pending?.meter === undefined ? [] : [`${pending.meter.count} waiting queries`]),
    ...(connections === 0 ? [] : [`${connections} connections`]),
    ...(share === 0 ? [] : [`${share} % of the cache`]),
  ];
}

const WHAT = {
  [MeterKind.QUERIES]: "queries",
  [MeterKind.UNIQUE_NAMES]: "new names",
  [MeterKind.PENDING]: "waiting queries",
  [MeterKind.INFORMATION]: "octets of information in new names below one",
  [MeterKind.NXDOMAIN]: "answers of NXDOMAIN below one name",
} as const;

function describeRate({ kind, by_client, count, per_ms, burst }: MeterMessage): string {
  const what = `${WHAT[kind]}${by_client ? ", for each client," : ""}`;
  return `${count} ${what} in ${per_ms / 1000} s${burst === count ? "" : `, ${burst} at once`}`;
}
