/**
 * What a rule speaks of, and whether another one speaks of all of that: names, types, transports, moments and clients.
 *
 * "Covers" is only said where it is certain. Fields of a match that are not known here count as equal or not.
 */

import { canonical } from "../compile/canonical.ts";
import { exceptionFor } from "../compile/compile-conditions.ts";
import { decides, transportBits } from "../compile/compile-policies.ts";
import type { Located } from "../compile/policy-set.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import type { Network } from "../resources/network.ts";
import { type Policy, TIERS, tierOf } from "../resources/policy-schema.ts";
import type { PrincipalPattern } from "../resources/principal.ts";
import type { Rule } from "../resources/rule-schema.ts";
import { TRANSPORTS } from "../resources/schema-parts.ts";

/** A rule, in the order in which rules are asked: its `rank` is greater than that of all before it. */
export interface Reach {
  readonly located: Located<Policy>;
  readonly index: number;
  readonly rule: Rule;
  readonly rank: number;
  readonly tier: number;
  /** Names of the tenants that there are. */
  readonly tenants: ReadonlySet<string>;
  readonly names: readonly Name[];
  /** Undefined: all. */
  readonly types: ReadonlySet<number> | undefined;
  /** Bits 1 << Transport. */
  readonly transports: number;
  /** Canonical; empty: always. */
  readonly schedule: string;
  /** Canonical; empty: nothing else is asked. */
  readonly others: string;
  /** No rule after it has a word. */
  readonly decides: boolean;
  readonly audit: boolean;
}

/** A pattern; keys are made of labels, the last one first. */
export interface Name {
  readonly pattern: NamePattern | undefined;
  readonly extent: NamePattern["extent"];
  /** Of the base, and of every name above it. */
  readonly keys: readonly string[];
}

export const ALL_TRANSPORTS = (1 << TRANSPORTS.length) - 1;

const EVERY: readonly Name[] = [{ pattern: undefined, extent: "every", keys: [""] }];

export function readReaches(policies: readonly Located<Policy>[], tenants: readonly string[]): Reach[] {
  const rank = ({ resource }: Located<Policy>) => TIERS.indexOf(tierOf(resource)) * 1024 + resource.spec.priority;
  const ordered = policies.toSorted((a, b) => rank(a) - rank(b));
  const reaches: Reach[] = [];
  for (const located of ordered) {
    const { spec } = located.resource;
    if (spec.mode === "Disabled") continue;
    const own = new Set(tenants.filter((tenant) => speaksOf(located.resource, tenant)));
    for (const [index, rule] of spec.rules.entries()) {
      if (rule.mode === "Disabled") continue;
      const { names, types, transports: _, schedule, percent, ...others } = rule.match;
      const further = Object.values(others).some((value) => value !== undefined) ? canonical(others) : "";
      reaches.push({
        located,
        index,
        rule,
        rank: reaches.length,
        tier: TIERS.indexOf(tierOf(located.resource)),
        tenants: own,
        names: names?.map(toName) ?? EVERY,
        types: types && new Set(types),
        transports: transportBits(rule) || ALL_TRANSPORTS,
        schedule: schedule === undefined ? "" : canonical(schedule),
        others: further,
        // Whoever draws is not stopped by a rule that is drawn for.
        decides: decides(rule) && percent === undefined,
        audit: spec.mode === "Audit" || rule.mode === "Audit",
      });
    }
  }
  return reaches;
}

function speaksOf({ spec: { subject, except } }: Policy, tenant: string): boolean {
  if (subject.tenants?.includes(tenant) === false) return false;
  const excepted = exceptionFor(tenant, except);
  return excepted === undefined || Object.keys(selectorsOf(excepted)).length > 0;
}

export function toName(pattern: NamePattern): Name {
  const keys = [""];
  let key = "";
  for (const label of pattern.labels.toReversed()) {
    key += `${Buffer.from(label).toString("hex")}.`;
    keys.push(key);
  }
  return { pattern, extent: pattern.extent, keys: keys.reverse() };
}

export function baseOf({ keys }: Name): string {
  return keys[0] ?? "";
}

/** Whether each name of `inner` is one of `outer`. */
export function coversName(outer: Name, inner: Name): boolean {
  if (outer.extent === "every") return true;
  if (outer.extent === "exact") return inner.extent === "exact" && baseOf(inner) === baseOf(outer);
  if (inner.extent === "every") return false;
  const above = inner.extent === "exact" ? inner.keys.slice(1) : inner.keys;
  return above.includes(baseOf(outer));
}

export function namesMeet(a: Name, b: Name): boolean {
  if (coversName(a, b) || coversName(b, a)) return true;
  // Neither covers the other, and both are below something: of two bases one is above the other, or none is.
  return a.extent !== "exact" && b.extent !== "exact" && (a.keys.includes(baseOf(b)) || b.keys.includes(baseOf(a)));
}

export function typesMeet(a: Reach, b: Reach): boolean {
  return a.types === undefined || b.types === undefined || [...a.types].some((type) => b.types?.has(type));
}

/** But for names, types and transports: moments, clients, and whatever else is asked. */
export function coversCircumstances(outer: Reach, inner: Reach, tenant: string): boolean {
  if (outer.schedule !== "" && outer.schedule !== inner.schedule) return false;
  if (outer.others !== "" && outer.others !== inner.others) return false;
  return outer.located === inner.located || coversClients(outer.located.resource, inner.located.resource, tenant);
}

/** Whether, of a tenant, every client that the inner policy speaks of is one of the outer's. */
function coversClients(outer: Policy, inner: Policy, tenant: string): boolean {
  const outside = selectorsOf(exceptionFor(tenant, outer.spec.except) ?? {});
  const inside = selectorsOf(exceptionFor(tenant, inner.spec.except) ?? {});
  if (Object.keys(outside).length > 0 && canonical(outside) !== canonical(inside)) return false;
  const own = selectorsOf(inner.spec.subject);
  return Object.entries(selectorsOf(outer.spec.subject)).every(([field, wide]) => {
    const narrow = own[field];
    return narrow !== undefined && coversSelector(field, wide, narrow);
  });
}

/** Fields of a subject that are there, but for its tenants. */
export function selectorsOf(subject: object): Readonly<Record<string, unknown>> {
  const fields = Object.entries(subject).filter(([field, value]) => field !== "tenants" && value !== undefined);
  return Object.fromEntries(fields);
}

export function coversSelector(field: string, wide: unknown, narrow: unknown): boolean {
  if (field === "cidrs") return every(narrow as Network[], wide as Network[], coversNetwork);
  if (field === "principals") return every(narrow as PrincipalPattern[], wide as PrincipalPattern[], coversPrincipal);
  return canonical(wide) === canonical(narrow);
}

function every<T>(inner: readonly T[], outer: readonly T[], covers: (outer: T, inner: T) => boolean): boolean {
  return inner.every((one) => outer.some((other) => covers(other, one)));
}

export function coversNetwork(outer: Network, inner: Network): boolean {
  return outer.length <= inner.length && outer.overlaps(inner);
}

function coversPrincipal({ segments: outer }: PrincipalPattern, { segments: inner }: PrincipalPattern): boolean {
  return outer.length === inner.length && outer.every((segment, index) => segment === "*" || segment === inner[index]);
}
