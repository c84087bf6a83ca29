/**
 * Rules that never have a word because others have it before them, and rules that get into each other's way.
 */
import type { Located, PolicySet } from "../compile/policy-set.ts";
import { typeName } from "../dns/numbers.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { Path } from "../resources/problem.ts";
import { type Finding, finding } from "./finding.ts";
import {
  ALL_TRANSPORTS,
  baseOf,
  coversCircumstances,
  coversName,
  coversSelector,
  type Name,
  namesMeet,
  type Reach,
  readReaches,
  selectorsOf,
  typesMeet,
} from "./reach.ts";

/** A rule of more tenants is looked at for all of them at once, and not for each. */
const MAX_TENANTS = 50;

/** Nobody reads more, and each costs parses of the documents that it is about. */
const MAX_FINDINGS = 1000;

const PASS = "Pass";

export function lintRules(set: PolicySet): Finding[] {
  const known = set.tenants.map(({ resource }) => resource.metadata.name);
  // Where none is there yet, policies speak of those that will be.
  const tenants = known.length === 0 ? ["any"] : known;
  const reaches = readReaches(set.policies, tenants);
  const index = new ReachIndex(reaches, tenants.length);
  const found = set.policies.flatMap(lintSubject);
  for (const reach of reaches) {
    if (found.length >= MAX_FINDINGS) break;
    found.push(...lintPatterns(reach));
    if (reach.tenants.size > 0) found.push(...lintReach(reach, index));
  }
  const unreachable = new Set(
    found.filter(({ kind }) => kind === "unreachable").map(({ path, line }) => `${line} ${path}`),
  );
  found.push(...lintOverlaps(reaches, index).filter(({ path, line }) => !unreachable.has(`${line} ${path}`)));
  return found;
}

/** Whom the exceptions leave. */
function lintSubject({ resource, origin }: Located<Policy>): Finding[] {
  const { subject, except } = resource.spec;
  const own = selectorsOf(subject);
  const excepted = Object.entries(selectorsOf(except ?? {}));
  if (except === undefined || ("tenants" in except && except.tenants !== undefined) || excepted.length === 0) return [];
  const all = excepted.every(([field, wide]) => own[field] !== undefined && coversSelector(field, wide, own[field]));
  if (!all) return [];
  const message = "expected a subject that the exceptions leave something of, got one that is excepted wholly";
  return [finding("nobody", origin.problem(["spec", "except"], message))];
}

function lintPatterns({ located, index, names }: Reach): Finding[] {
  return names.flatMap((inner, at) => {
    const by = names.find((outer, other) => {
      if (other === at || !coversName(outer, inner)) return false;
      // Of two that say the same, the later one is too much.
      return other < at || !coversName(inner, outer);
    });
    if (by === undefined) return [];
    const message = `expected names that no other of this rule covers, got ${inner.pattern?.text} beside ${by.pattern?.text}`;
    return [finding("redundant", located.origin.problem([...rulePath(index), "match", "names", at], message))];
  });
}

function lintReach(reach: Reach, index: ReachIndex): Finding[] {
  const { located, names, rule } = reach;
  const covered = names.map((name) => findCover(reach, name, index));
  const path = rulePath(reach.index);
  if (covered.every((by) => by !== undefined)) {
    const by = describeRules(covered.flat().filter((one) => one !== undefined));
    const message = `expected a rule that can have a word, got ${rule.name}, of which everything is decided before: by ${by}`;
    return [finding("unreachable", located.origin.problem(path, message))];
  }
  return covered.flatMap((by, at) => {
    if (by === undefined) return [];
    const message = `expected names that are not decided before, got ${names[at]?.pattern?.text}: by ${describeRules(by)}`;
    return [finding("shadowed", located.origin.problem([...path, "match", "names", at], message))];
  });
}

/** The rules that decide all of a rule's questions for one of its names, for each of its tenants; undefined where some are left. */
function findCover(reach: Reach, name: Name, index: ReachIndex): readonly Reach[] | undefined {
  const tenants = [...reach.tenants];
  const each = tenants.length <= MAX_TENANTS ? tenants.map((tenant) => [tenant]) : [tenants];
  const cover = new Set<Reach>();
  for (const some of each) {
    const by = coverFor(reach, name, some, index);
    if (by === undefined) return undefined;
    for (const one of by) cover.add(one);
  }
  return [...cover];
}

function coverFor(
  reach: Reach,
  name: Name,
  tenants: readonly string[],
  index: ReachIndex,
): readonly Reach[] | undefined {
  const [first = ""] = tenants;
  const earlier = index
    .above(name, first)
    .filter(
      ({ reach: other, name: outer }) =>
        other.rank < reach.rank &&
        coversName(outer, name) &&
        endsFor(other, reach) &&
        tenants.every((tenant) => other.tenants.has(tenant) && coversCircumstances(other, reach, tenant)) &&
        !index.mayPassBefore(other, reach, name, tenants),
    )
    .map((entry) => entry.reach);
  return coversKinds(earlier, reach);
}

/** Whether a rule that matches before another keeps that from having a word. */
function endsFor(earlier: Reach, later: Reach): boolean {
  if (!earlier.decides) return false;
  // Of the rules on trial in a policy, the first is recorded.
  if (earlier.audit) return later.audit && earlier.located === later.located;
  return earlier.rule.action !== PASS || earlier.tier === later.tier;
}

/** Of some rules, those that together cover each type and transport of another; undefined where they do not. */
function coversKinds(earlier: readonly Reach[], { types, transports }: Reach): readonly Reach[] | undefined {
  // Stands for every type that none of them names.
  const OTHER = -1;
  const named = types ?? new Set([OTHER, ...earlier.flatMap((one) => [...(one.types ?? [])])]);
  const cover = new Set<Reach>();
  for (const type of named) {
    for (let bit = 1; bit <= ALL_TRANSPORTS; bit <<= 1) {
      if ((transports & bit) === 0) continue;
      const by = earlier.find(
        (one) => (one.transports & bit) !== 0 && (one.types === undefined || one.types.has(type)),
      );
      if (by === undefined) return undefined;
      cover.add(by);
    }
  }
  return [...cover];
}

interface Entry {
  readonly reach: Reach;
  readonly name: Name;
}

/** Rules by the bases of their names, and by tenant. */
class ReachIndex {
  /** Of rules of every tenant, under the empty name. */
  readonly #byTenant = new Map<string, Map<string, Entry[]>>();
  readonly #passes: readonly Reach[];

  constructor(reaches: readonly Reach[], tenantCount: number) {
    this.#passes = reaches.filter(({ rule, audit }) => rule.action === PASS && !audit);
    for (const reach of reaches) {
      const keys = reach.tenants.size === tenantCount ? [""] : reach.tenants;
      for (const tenant of keys) {
        const bases = this.#byTenant.get(tenant) ?? new Map<string, Entry[]>();
        this.#byTenant.set(tenant, bases);
        for (const name of reach.names) {
          const entries = bases.get(baseOf(name));
          if (entries === undefined) bases.set(baseOf(name), [{ reach, name }]);
          else entries.push({ reach, name });
        }
      }
    }
  }

  /** Names at or above the base of this one, of rules that speak of a tenant. */
  above({ keys }: Name, tenant: string): Entry[] {
    return ["", tenant].flatMap((one) => {
      const bases = this.#byTenant.get(one);
      return bases === undefined ? [] : keys.flatMap((key) => bases.get(key) ?? []);
    });
  }

  /** Whether some question of a rule in a later tier may be passed on before an earlier rule is asked. */
  mayPassBefore(earlier: Reach, later: Reach, name: Name, tenants: readonly string[]): boolean {
    if (earlier.tier === later.tier) return false;
    return this.#passes.some(
      (pass) =>
        pass.tier === earlier.tier &&
        pass.rank < earlier.rank &&
        tenants.some((tenant) => pass.tenants.has(tenant)) &&
        pass.names.some((one) => namesMeet(one, name)),
    );
  }
}

/** Pairs of one tier that decide otherwise. An exception, which is narrower and comes first, is no accident. */
function lintOverlaps(reaches: readonly Reach[], index: ReachIndex): Finding[] {
  const found: Finding[] = [];
  const seen = new Set<string>();
  for (const reach of reaches) {
    if (found.length >= MAX_FINDINGS) break;
    const [tenant = ""] = reach.tenants;
    for (const name of reach.names) {
      for (const { reach: other, name: outer } of index.above(name, tenant)) {
        if (other === reach || !namesMeet(name, outer)) continue;
        const [first, second] = other.rank < reach.rank ? [other, reach] : [reach, other];
        const key = `${first.rank} ${second.rank}`;
        if (seen.has(key) || !contradict(first, second)) continue;
        seen.add(key);
        if (isWithin(first, second) || isWithin(second, first)) continue;
        const example = (coversName(outer, name) ? name : outer).pattern?.text ?? "*";
        const message = `expected rules of which one is the other's exception, got ${describeRules([first])} before it, which decides where both match, as ${example}${describeKinds(first, second)}`;
        found.push(finding("overlap", second.located.origin.problem(rulePath(second.index), message)));
      }
    }
  }
  return found;
}

function contradict(first: Reach, second: Reach): boolean {
  // Whether names that are asked for in other ways than by patterns meet is not known here.
  const counts = (one: Reach) => one.decides && !one.audit && one.others === "" && one.rule.action !== PASS;
  return (
    counts(first) &&
    counts(second) &&
    first.tier === second.tier &&
    first.rule.action !== second.rule.action &&
    typesMeet(first, second) &&
    (first.transports & second.transports) !== 0 &&
    [...first.tenants].some((tenant) => second.tenants.has(tenant))
  );
}

/** By what they match, whoever the clients are. */
function isWithin(inner: Reach, outer: Reach): boolean {
  return (
    inner.names.every((name) => outer.names.some((wide) => coversName(wide, name))) &&
    (outer.types === undefined ||
      (inner.types !== undefined && [...inner.types].every((one) => outer.types?.has(one)))) &&
    (inner.transports & ~outer.transports) === 0 &&
    (outer.schedule === "" || outer.schedule === inner.schedule)
  );
}

function describeKinds(first: Reach, second: Reach): string {
  const type = [...(first.types ?? second.types ?? [])].find(
    (one) => (first.types?.has(one) ?? true) && (second.types?.has(one) ?? true),
  );
  return type === undefined ? "" : `, type ${typeName(type)}`;
}

function describeRules(rules: readonly Reach[]): string {
  const told = rules.slice(0, 3).map(({ located, index, rule }) => {
    const { kind, metadata } = located.resource;
    const { source, line } = located.origin.problem(rulePath(index), "");
    return `rule ${rule.name} of ${kind}/${metadata.name} (${source}, line ${line})`;
  });
  return `${[...new Set(told)].join(" and ")}${rules.length > 3 ? `, and ${rules.length - 3} more` : ""}`;
}

function rulePath(index: number): Path {
  return ["spec", "rules", index];
}
