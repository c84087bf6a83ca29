/**
 * decide() against the plain evaluator: the same verdict, and the same one everywhere inside its scope.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { fnv1a } from "../../../extproc/compiled/hash.ts";
import {
  type Action,
  type Alternative,
  type AuditMessage,
  type DelayMessage,
  type Deny,
  DenyForm,
  Extent,
  type Fault,
  type Forward,
  type MeterMessage,
  type Transport,
  type Verdict,
  type VerdictScope,
} from "../../../extproc/compiled/messages.ts";
import { loadSnapshot, type Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { type DecisionRequest, decide } from "../../../extproc/decide/decide.ts";
import { presentName } from "../../../extproc/dns/names.ts";
import { parseResources } from "../../../extproc/resources/parse.ts";
import { TIERS } from "../../../extproc/resources/policy-schema.ts";
import type { Resource } from "../../../extproc/resources/schema.ts";
import { addressOf } from "../compile/compile-text.ts";
import { inlineTables } from "../lists/inline-tables.ts";
import { ADDRESSES, LABELS, policySet, request, TYPES } from "./arbitrary.ts";
import { consultOracle } from "./oracle.ts";
import { aLabels, judgePlainly, type PlainRequest, type PlainVerdict } from "./reference.ts";

export interface SetsToCheck {
  readonly sets: number;
  /** Of each set. */
  readonly questions: number;
  readonly seed: number;
  /** Of the questions that are looked at inside a scope, one in so many: 1 is all of them. */
  readonly step: number;
}

export interface CheckedSets {
  readonly sets: number;
  readonly cases: number;
  /** Further questions, inside the scopes of those. */
  readonly inside: number;
  /** The first difference, with the set and questions that show it. */
  readonly difference: string | undefined;
}

const FORMS = {
  [DenyForm.RCODE]: () => "",
  [DenyForm.DROP]: () => " Drop",
  [DenyForm.TRUNCATE]: () => " Truncate",
  [DenyForm.RECORDS]: ({ records }: Deny) =>
    ` addresses ${records.map(({ data }) => Buffer.from(data, "base64").length).join(" ")}`,
};

function faultCode({ rcode, form }: Fault): string | undefined {
  if (form === DenyForm.DROP) return "Drop";
  return form === DenyForm.TRUNCATE ? "Truncate" : { 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN" }[rcode];
}

const ACTIONS = [
  "Accept",
  "Deny",
  "Pass",
  "Route",
  "Fault",
  "Answer",
  "Ttl",
  "Rewrite",
  "RateLimit",
  "Strip",
  "Mirror",
];

/** No name has more. */
const MAX_LABELS = 127;

/** Every name of up to three labels. */
const NAMES: readonly (readonly string[])[] = [0, 1, 2, 3].flatMap(namesOf);

function namesOf(length: number): string[][] {
  if (length === 0) return [[]];
  return namesOf(length - 1).flatMap((rest) => LABELS.map((label) => [label, ...rest]));
}

export function checkSets({ sets, questions: count, seed, step }: SetsToCheck): CheckedSets {
  const checked = { sets: 0, cases: 0, inside: 0 };
  const property = fc.property(
    policySet,
    fc.array(request, { minLength: count, maxLength: count }),
    fc.nat(),
    (text, questions, salt) => {
      const result = new CompileJobs().run([{ name: "set", text }], undefined);
      fc.pre(result.ok);
      if (!result.ok) return;
      checked.sets++;
      const snapshot = loadSnapshot(result.policy, 9, inlineTables(result.policy));
      const resources = parseResources(text, "set").resources.map(({ resource }) => resource);
      for (const [index, question] of questions.entries()) {
        checked.inside += checkQuestion(snapshot, resources, question, salt + index, step);
        checked.cases++;
      }
    },
  );
  const details = fc.check(property, { numRuns: sets, seed, maxSkipsPerRun: 50 });
  return { ...checked, difference: details.failed ? fc.defaultReportMessage(details) : undefined };
}

/** Returns how many questions inside the scope were looked at. */
function checkQuestion(
  snapshot: Snapshot,
  resources: readonly Resource[],
  question: PlainRequest,
  salt: number,
  step: number,
): number {
  const verdict = decide(snapshot, toRequest(question));
  const expected = judgePlainly(resources, question);
  assert.deepEqual(plain(snapshot, verdict, aLabels(question.labels)), expected);
  assert.ok(covers(verdict.scope, question, question), "the question is in its own scope");
  let number = salt % step;
  let looked = 0;
  for (const inside of sampleScope(verdict, question, salt)) {
    if (number++ % step !== 0) continue;
    looked++;
    assert.deepEqual(
      judgePlainly(resources, inside),
      expected,
      `${JSON.stringify(inside)} in the scope of ${JSON.stringify(question)}: ${JSON.stringify(verdict)}`,
    );
    const again = decide(snapshot, toRequest(inside));
    assert.deepEqual(withoutScope(again), withoutScope(verdict));
  }
  return looked;
}

/** Some of all that the scope covers: names near and far, all types and transports, moments, and the client's block. */
function* sampleScope({ scope, client }: Verdict, question: PlainRequest, salt: number): Generator<PlainRequest> {
  const own = question.labels;
  const near = own.map((_, index) => own.slice(index));
  const candidates = [
    ...near,
    ...near.flatMap((suffix) => [...LABELS, "new", "\u00fc", "\u00e9"].map((label) => [label, ...suffix])),
    ...LABELS.map((label) => [label, "new", ...own]),
    ...Array.from({ length: 12 }, (_, index) => NAMES[(salt * 31 + index * 97) % NAMES.length] ?? []),
  ];
  const names = candidates.map((labels) => ({ ...question, labels })).filter((one) => covers(scope, question, one));
  yield* names;
  for (const qtype of [...TYPES, 99, 257]) {
    const one = { ...question, qtype };
    if (covers(scope, question, one)) yield one;
  }
  for (let transport = 0; transport < 5; transport++) {
    const one = { ...question, transport };
    if (covers(scope, question, one)) yield one;
  }
  const lifetime = scope.lifetime_ms === 0 ? YEAR : scope.lifetime_ms;
  const moments = [0, 1, 2].map((step) => question.time + ((salt * 7919 + step * 104_729_003) % lifetime));
  for (const time of [...moments, question.time + lifetime - 1]) yield { ...question, time };
  for (const address of blockOf(question.address, client.prefix)) yield { ...question, address };
  const last = names.at(-1) ?? question;
  for (const address of blockOf(question.address, client.prefix).slice(0, 2)) yield { ...last, address };
  // All of it at once.
  const ends = names[salt % Math.max(1, names.length)] ?? question;
  for (const qtype of TYPES) {
    for (const transport of [0, 1, 3]) {
      const one = { ...ends, qtype, transport, time: question.time + lifetime - 1 };
      if (covers(scope, question, one)) yield one;
    }
  }
}

const YEAR = 365 * 86_400_000;

const blocks = new Map<string, string[]>();

/** Both ends of the block, and every address of the pool inside it, in the client's form. */
function blockOf(address: string, prefix: number): string[] {
  const key = `${address}/${prefix}`;
  const known = blocks.get(key) ?? findBlock(address, prefix);
  blocks.set(key, known);
  return known;
}

function findBlock(address: string, prefix: number): string[] {
  const parsed = ipaddr.parse(address);
  const octets = parsed.toByteArray();
  const edge = (bit: 0 | 1) =>
    octets.map((octet, index) => {
      const host = 0xff >> Math.max(0, Math.min(8, prefix - index * 8));
      return bit === 1 ? octet | host : octet & ~host;
    });
  const pool = ADDRESSES.filter((other) => {
    const candidate = ipaddr.parse(other);
    return candidate.kind() === parsed.kind() && candidate.match(parsed, prefix);
  });
  return [ipaddr.fromByteArray(edge(0)).toString(), ipaddr.fromByteArray(edge(1)).toString(), ...pool];
}

/** Scope, by the words of verdict.proto: name, type and transport. */
function covers(scope: VerdictScope, { labels: asked }: PlainRequest, inside: PlainRequest): boolean {
  const { labels, qtype, transport } = inside;
  const owner = scope.labels === 0 ? [] : asked.slice(-scope.labels);
  if (scope.labels > asked.length || scope.labels > labels.length) return false;
  const suffix = scope.labels === 0 ? [] : labels.slice(-scope.labels);
  if (suffix.join(".") !== owner.join(".")) return false;
  if (/[\u0080-\uffff]/.test(labels.slice(0, labels.length - scope.labels).join())) return false;
  const below = labels.length > scope.labels;
  if (scope.extent === Extent.EXACT && below) return false;
  if (scope.extent === Extent.BELOW) {
    if (!below) return false;
    const next = Buffer.from(labels.at(-1 - scope.labels) ?? "");
    if (scope.except.includes(fnv1a(next, 0, next.length))) return false;
  }
  if (scope.transports !== 0 && (scope.transports & (1 << transport)) === 0) return false;
  return scope.types.length === 0 || scope.types.includes(qtype) !== scope.types_excluded;
}

const octets = new Map<string, Uint8Array>();

function octetsOf(address: string): Uint8Array {
  const known = octets.get(address) ?? addressOf(address);
  octets.set(address, known);
  return known;
}

function toRequest({ address, labels, transport, ...rest }: PlainRequest): DecisionRequest {
  const octets = labels.map((label) => Buffer.from(label));
  const qname = Uint8Array.from([...octets.flatMap((label) => [label.length, ...label]), 0]);
  const consult = consultOracle(rest.time);
  return { ...rest, address: octetsOf(address), listener: "test", transport: transport as Transport, qname, consult };
}

function plain({ revision, tables }: Snapshot, verdict: Verdict, asked: readonly string[]): PlainVerdict {
  const { subject, tenant } = verdict.client;
  const client = tenant !== "" ? `tenant ${tenant}` : subject === 1 ? "unknown" : "unidentified";
  const actionOf = (outcome: Action & Pick<Verdict, "mesh_view">) => {
    if (outcome.mesh_view === undefined) return bareActionOf(outcome);
    const view = tables.mesh.views.find(({ id }) => id === outcome.mesh_view);
    return `names of ${view?.tenant}, ${bareActionOf(outcome)}`;
  };
  const bareActionOf = (outcome: Action) => {
    if ("deny" in outcome) return `deny ${outcome.deny.rcode}${FORMS[outcome.deny.form](outcome.deny)}`;
    if ("answer" in outcome) {
      const { alias, forward, records } = outcome.answer;
      if (alias === "") return `answer ${records[0]?.type}`;
      const by = revision.upstreams.find(({ id }) => id === forward?.upstream)?.name;
      return `answer ${presentName(Buffer.from(alias, "base64")).slice(0, -1)} by ${by}`;
    }
    if ("fault" in outcome) return `fault ${faultCode(outcome.fault)}`;
    const upstreamOf = (forward: Forward | undefined) =>
      revision.upstreams.find(({ id }) => id === forward?.upstream)?.name;
    if ("rewrite" in outcome) {
      const { labels, to, forward } = outcome.rewrite;
      const suffix = labels >= MAX_LABELS ? "all" : asked.slice(asked.length - labels).join(".") || ".";
      const other = presentName(Buffer.from(to, "base64"));
      return `rewrite ${suffix} to ${other === "." ? other : other.slice(0, -1)}, else ${upstreamOf(forward) ?? "nowhere"}`;
    }
    return `forward ${upstreamOf(outcome.forward)}`;
  };
  const wait = (delays: readonly DelayMessage[]) => delays.map((one) => `${one.milliseconds}ms ${one.chance / 100}`);
  const rate = ({ meter }: { readonly meter?: MeterMessage }) =>
    meter === undefined
      ? ""
      : ` above ${meter.count} in ${meter.per_ms}ms by ${meter.by_client ? "Client" : "Tenant"} after ${meter.burst}`;
  const nameOf = (upstream: number) => revision.upstreams.find(({ id }) => id === upstream)?.name;
  const bounds = ({ ttl_min, ttl_max, strip, mirror }: Pick<Verdict, "ttl_min" | "ttl_max" | "strip" | "mirror">) => {
    const beside = mirror === undefined ? "" : ` beside ${nameOf(mirror.upstream)} ${mirror.chance / 100}`;
    return `${ttl_min}-${ttl_max}${strip ? " stripped" : ""}${beside}`;
  };
  const tell = (audits: readonly AuditMessage[]) =>
    audits.map((one) => `${one.policy}/${one.rule} ${ACTIONS[one.action]} ${one.chance / 100}${rate(one)}`);
  const alternative = (one: Alternative) =>
    `${one.chance / 100}%${rate(one)} ${one.policy}/${one.rule} ${actionOf(one)} [${tell(one.audits)}] [${wait(one.delays)}] ${bounds(one)}`;
  const { storm } = verdict.client.limits ?? {};
  return {
    client,
    policy: verdict.policy,
    rule: verdict.rule,
    action: actionOf(verdict),
    audits: tell(verdict.audits),
    delays: wait(verdict.delays),
    ttl: bounds(verdict),
    alternatives: verdict.alternatives.map(alternative),
    storm: storm === undefined ? "" : alternative(storm),
    responses: (verdict.responses?.rules ?? []).map(({ tier, action, outcome }) => {
      const trial = outcome.audits.length > 0 ? "?" : "";
      return `${TIERS[tier]} ${outcome.policy}/${outcome.rule} ${ACTIONS[action]}${trial}`;
    }),
  };
}

/** All that has to be equal inside a scope; blocks of clients may differ where their tables end. */
function withoutScope({ scope: _scope, client: { prefix: _prefix, ...client }, ...rest }: Verdict) {
  return { ...rest, client };
}
