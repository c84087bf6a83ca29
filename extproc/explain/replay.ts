/**
 * Recorded queries against a candidate set: which of them would end otherwise.
 *
 * A log does not have all that a client showed: of server name and path, it has the tenant that came of them.
 * So a query is that tenant's as long as the candidate could still take it for that.
 */
import { type Action, DenyForm, type Outcome, type Verdict } from "../compiled/messages.ts";
import type { Snapshot } from "../compiled/snapshot.ts";
import { decide } from "../decide/decide.ts";
import type { DecisionRequest } from "../decide/request.ts";
import { FAILURE_RCODES, followRewrite } from "../decide/rewritten.ts";
import { presentName } from "../dns/names.ts";
import { rcodeName } from "../dns/numbers.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import { parseNetwork } from "../resources/network.ts";
import type { LocatedResource } from "../resources/parse.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import { canBeReplayed, denyRecordedAnswer } from "./recorded-answer.ts";
import type { RecordedQuery } from "./recorded-query.ts";
import { TRANSPORTS } from "./request.ts";

export interface ReplayedSet {
  readonly resources: readonly LocatedResource[];
  readonly snapshot: Snapshot;
}

/** What becomes of a query, in words that can be compared. */
export interface Ending {
  readonly tenant: string;
  readonly outcome: "forward" | "deny" | "fault" | "answer";
  /** Of a denial or a fault; empty where it is not known. */
  readonly rcode: string;
  /** Of what is forwarded; empty where it is not known. */
  readonly upstream: string;
  /** policy/rule; empty where none decides. */
  readonly rule: string;
  /** The name that is answered instead; empty without one. */
  readonly rewritten: string;
}

export interface Replayed {
  readonly before: Ending;
  readonly after: Ending;
  /** What chance makes of it instead, now and then. */
  readonly chances: readonly Ending[];
  /**
   * `open`: it was denied for what its answer has, which the log does not have; or answered as a name of
   * the mesh, which files of policy do not have; or a decision point has to say.
   */
  readonly verdict: "same" | "changed" | "open";
}

export class Replay {
  readonly #against: Evaluated;
  readonly #from: Evaluated | undefined;

  /** `from`: what the candidate is compared with; otherwise it is what was recorded. */
  constructor(against: ReplayedSet, from?: ReplayedSet) {
    this.#against = new Evaluated(against);
    this.#from = from && new Evaluated(from);
  }

  /** Policies of the candidate that ask for what a log does not have. */
  get blindFor(): readonly string[] {
    return this.#against.blindFor;
  }

  /** Response rules of the candidate that ask for what a log does not have of answers. */
  get passedBy(): readonly string[] {
    return this.#against.passedBy;
  }

  replay(query: RecordedQuery): Replayed {
    const after = this.#against.endings(query);
    const [usual, ...chances] = after;
    const { asksOthers } = this.#against;
    if (this.#from !== undefined) {
      const before = this.#from.endings(query);
      const same = before.length === after.length && before.every((one, index) => sameEnding(one, after[index] ?? one));
      return { before: before[0], after: usual, chances, verdict: same ? "same" : "changed" };
    }
    const before = recordedEnding(query);
    if (after.some((one) => sameEnding(before, one))) return { before, after: usual, chances, verdict: "same" };
    const denied = before.outcome === "deny" && this.#against.stillDeniesOthers(query);
    const open = asksOthers || (usual.outcome === "forward" && (denied || isOfTheMesh(before)));
    return { before, after: usual, chances, verdict: open ? "open" : "changed" };
  }
}

/** Whoever does not know is of one mind with everybody. */
function sameEnding(a: Ending, b: Ending): boolean {
  if (a.rewritten !== b.rewritten) return false;
  return a.tenant === b.tenant && a.outcome === b.outcome && agree(a.rcode, b.rcode) && agree(a.upstream, b.upstream);
}

function agree(one: string, other: string): boolean {
  return one === "" || other === "" || one === other;
}

/** Answered here, and by no rule. */
function isOfTheMesh({ outcome, rule }: Ending): boolean {
  return outcome === "answer" && rule === "";
}

const OUTCOMES: Readonly<Record<string, Ending["outcome"]>> = { denied: "deny", faulted: "fault", answered: "answer" };

function recordedEnding({ tenant, outcome, rcode, upstream, policy, rule, rewritten }: RecordedQuery): Ending {
  const ended = OUTCOMES[outcome] ?? (outcome === "failed" && rewritten !== "" ? "fault" : "forward");
  const own = ended === "deny" || ended === "fault";
  return { tenant, outcome: ended, rcode: own ? rcode : "", upstream, rule: nameRule(policy, rule), rewritten };
}

function nameRule(policy: string, rule: string): string {
  return rule === "" ? "" : `${policy}/${rule}`;
}

/** Room for one query after the other. */
class Evaluated {
  readonly #snapshot: Snapshot;
  readonly #tenants: ReadonlyMap<string, Tenant>;
  /** Names that each rule denies, by policy/rule. */
  readonly #denials: ReadonlyMap<string, readonly NamePattern[] | undefined>;
  readonly #evidence: readonly (readonly [policy: string, fields: readonly string[]])[];
  readonly passedBy: readonly string[];
  /** A log has none that is of an earlier version, or of tenants that hide who their clients are. */
  #hasPrincipals = false;
  /** Whether a decision point would have been asked of the last query. */
  asksOthers = false;

  constructor({ resources, snapshot }: ReplayedSet) {
    this.#snapshot = snapshot;
    const all = resources.map(({ resource }) => resource);
    this.#tenants = new Map(all.filter((one) => one.kind === "Tenant").map((one) => [one.metadata.name, one]));
    const policies = all.filter((one) => one.kind === "DnsPolicy" || one.kind === "ClusterDnsPolicy");
    this.#denials = new Map(policies.flatMap(denialsOf));
    this.passedBy = policies.flatMap(({ metadata, spec }) =>
      spec.responseRules.filter((rule) => !canBeReplayed(rule)).map(({ name }) => nameRule(metadata.name, name)),
    );
    this.#evidence = policies.map((policy) => [`${policy.kind}/${policy.metadata.name}`, evidenceOf(policy)]);
  }

  get blindFor(): readonly string[] {
    const isUnknown = (field: string) => field !== "principals" || !this.#hasPrincipals;
    return this.#evidence.filter(([, fields]) => fields.some(isUnknown)).map(([policy]) => policy);
  }

  /** What comes of it usually, and then what chance may make of it. */
  endings(query: RecordedQuery): readonly [Ending, ...Ending[]] {
    const [request, verdict] = this.#decide(query);
    const { tenant } = verdict.client;
    const describe = (outcome: Outcome): Ending => {
      const by = { tenant, rule: nameRule(outcome.policy, outcome.rule), rewritten: "" };
      const followed = followRewrite(this.#snapshot, request, outcome);
      if (followed === undefined) return this.#judge({ ...by, ...this.#describe(outcome, query) }, verdict, query);
      const { qname } = followed;
      const rewritten = qname === undefined ? "" : presentName(qname);
      if ("failure" in followed) {
        return { ...by, outcome: "fault", rcode: FAILURE_RCODES[followed.failure], upstream: "", rewritten };
      }
      const other = followed.outcome;
      const end = this.#describe(other, query);
      // What keeps the other name's answer from the client is that name's own rule.
      const rule = end.outcome === "forward" ? by.rule : nameRule(other.policy, other.rule);
      return this.#judge({ ...by, ...end, rule, rewritten }, verdict, query);
    };
    return [describe(verdict), ...verdict.alternatives.map(describe)];
  }

  /** What response rules make of the answer that was recorded, where the query would still get that. */
  #judge(end: Ending, { responses }: Verdict, query: RecordedQuery): Ending {
    const { outcome, upstream, rewritten } = query;
    const gets = end.outcome === "forward" && end.rewritten === rewritten && agree(end.upstream, upstream);
    if (!gets || outcome !== "forwarded" || responses === undefined) return end;
    const names = rewritten === "" ? [query.name] : [rewritten, query.name];
    const { deny, policy, rule } = denyRecordedAnswer(responses, names, query.answers)?.outcome ?? {};
    if (deny === undefined || policy === undefined || rule === undefined) return end;
    return { ...end, ...this.#describe({ deny }, query), rule: nameRule(policy, rule) };
  }

  /** Whether the rule that denied it is there, and never spoke of this name itself. */
  stillDeniesOthers({ policy, rule, name }: RecordedQuery): boolean {
    const key = nameRule(policy, rule);
    return this.#denials.has(key) && this.#denials.get(key)?.some((pattern) => covers(pattern, name)) === false;
  }

  #decide(query: RecordedQuery): readonly [DecisionRequest, Verdict] {
    const { address, principal, qname, qtype, time, transport } = query;
    this.asksOthers = false;
    if (principal !== undefined) this.#hasPrincipals = true;
    const consult = (): undefined => {
      this.asksOthers = true;
    };
    const over = TRANSPORTS[transport];
    const request = { address, principal, listener: "replay", transport: over, qname, qtype, time, consult };
    const byWhatIsKnown = decide(this.#snapshot, request);
    if (byWhatIsKnown.client.tenant === query.tenant || query.tenant === "") return [request, byWhatIsKnown];
    const tenant = this.#tenants.get(query.tenant);
    if (tenant === undefined || !mayHaveShown(tenant, query)) return [request, byWhatIsKnown];
    const shown = { ...request, tenant: query.tenant };
    return [shown, decide(this.#snapshot, shown)];
  }

  /** `action` rewrites nothing. */
  #describe(action: Action, { transport }: RecordedQuery): Pick<Ending, "outcome" | "rcode" | "upstream"> {
    if ("forward" in action) {
      const { upstreams } = this.#snapshot.revision;
      const upstream = upstreams.find(({ id }) => id === action.forward.upstream)?.name ?? "";
      return { outcome: "forward", rcode: "", upstream };
    }
    if ("answer" in action) return { outcome: "answer", rcode: "", upstream: "" };
    if ("rewrite" in action) return { outcome: "forward", rcode: "", upstream: "" };
    const { rcode, form } = "deny" in action ? action.deny : action.fault;
    const outcome = "deny" in action ? "deny" : "fault";
    if (form === DenyForm.DROP) return { outcome, rcode: "NONE", upstream: "" };
    // Truncated over UDP, and as usual over all else.
    const known = form !== DenyForm.TRUNCATE || transport !== "udp";
    return { outcome, rcode: known ? rcodeName(rcode) : "", upstream: "" };
  }
}

/** A tenant that is known by what the log does not have, or by a fixed identity, may be the one that a client was. */
function mayHaveShown({ spec }: Tenant, { client, principal }: RecordedQuery): boolean {
  if (spec.match.length === 0) return true;
  const network = parseNetwork(`${client}/${client.includes(":") ? 128 : 32}`);
  return spec.match.some((entry) => {
    const { cidrs, unauthenticated: _, principals, ...others } = entry;
    const evidence = principal === undefined ? { principals, ...others } : others;
    const here = typeof network === "string" || (cidrs?.some((block) => block.overlaps(network)) ?? true);
    return here && Object.values(evidence).some((value) => value !== undefined);
  });
}

type Denial = [rule: string, names: readonly NamePattern[] | undefined];

function denialsOf({ metadata, spec }: Policy): Denial[] {
  const ofQuestions = spec.rules
    .filter(({ action }) => action === "Deny")
    .map(({ name, match }): Denial => [nameRule(metadata.name, name), match.names]);
  // A response rule speaks of no question.
  const ofAnswers = spec.responseRules
    .filter(({ action }) => action === "Deny")
    .map(({ name }): Denial => [nameRule(metadata.name, name), []]);
  return [...ofQuestions, ...ofAnswers];
}

/** What it asks of clients beside tenants and addresses. */
function evidenceOf({ spec }: Policy): string[] {
  return [spec.subject, spec.except ?? {}]
    .flatMap((who) => Object.entries(who).filter(([, value]) => value !== undefined))
    .map(([field]) => field)
    .filter((field) => field !== "tenants" && field !== "cidrs");
}

function covers({ extent, text }: NamePattern, name: string): boolean {
  const plain = name.replace(/(?<=.)\.$/, "");
  if (extent === "every") return true;
  return extent === "exact" ? plain === text : plain.endsWith(text.slice(1));
}

/** For people. */
export function describeEnding({ outcome, rcode, upstream, rule, tenant, rewritten }: Ending): string {
  const words = {
    forward: `forwarded ${upstream && `to ${upstream}`}`,
    deny: `denied ${rcode}`,
    fault: `faulted ${rcode}`,
    answer: "answered",
  };
  const whose = tenant === "" ? ", nobody's" : "";
  const other = rewritten && ` as ${rewritten}`;
  return `${words[outcome].trim()}${other}${rule && ` by ${rule}`}${whose}`;
}
