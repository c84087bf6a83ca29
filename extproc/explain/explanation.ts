/**
 * A verdict in words: who asked, what came of it by which rule, how far that holds, and which rules were considered.
 */
import {
  DenyForm,
  Extent,
  type Fault,
  type Outcome,
  Protocol,
  type RecordMessage,
  type ResponseRulesMessage,
  RuleAction,
  type Verdict,
  type VerdictClient,
  type VerdictScope,
} from "../compiled/messages.ts";
import type { CompiledTables, Snapshot } from "../compiled/snapshot.ts";
import type { DecisionRequest } from "../decide/request.ts";
import { followRewrite, type RewriteFailure } from "../decide/rewritten.ts";
import { presentAddress } from "../dns/address.ts";
import { presentName } from "../dns/names.ts";
import { rcodeName, typeName } from "../dns/numbers.ts";
import { presentRecord } from "../dns/present-record.ts";
import { TIERS } from "../resources/policy-schema.ts";
import { TYPE_CNAME } from "../resources/record.ts";
import { EDE_CODES } from "../resources/response-schema.ts";
import { nameOf, TRANSPORTS } from "../telemetry/labels.ts";
import { describeLimits } from "./limits.ts";
import type { ConsideredRule, SaidOfRule } from "./rules.ts";

export interface Explanation {
  readonly question: { readonly name: string; readonly type: string; readonly transport: string };
  readonly client: {
    readonly address: string;
    /** Empty for nobody that is known. */
    readonly tenant: string;
    /** Whoever comes from this block with the same evidence is the same. */
    readonly block: string;
  };
  readonly revision: number;
  /** `fault`: a rule makes it fail; `answer`: with the rule's own records; `rewrite`: as another name. */
  readonly outcome: "forward" | "deny" | "fault" | "answer" | "rewrite";
  /** Empty where no rule has decided. */
  readonly policy: string;
  readonly rule: string;
  readonly upstream?: { readonly name: string; readonly protocol: string };
  /** Names of the mesh that are answered before that: those of these namespaces, `*` for all. */
  readonly meshNamespaces?: readonly string[];
  /** What all clients of the tenant may have together. */
  readonly limits?: readonly string[];
  readonly denial?: {
    readonly rcode: string;
    /** Where it is no answer of this rcode, or not over UDP. */
    readonly form?: "Drop" | "Truncate";
    readonly ede: string;
    readonly text: string;
    readonly ttl: number;
  };
  /** An RCODE, Drop or Truncate. */
  readonly fault?: { readonly code: string };
  /** The rule's own, for this question: `A 192.0.2.1`. */
  readonly records?: readonly string[];
  /** Who is asked beside it, of how many of 100 questions, to compare; nobody waits for that. */
  readonly mirror?: { readonly upstream: string; readonly percent: number };
  /** The name that is answered instead, and what becomes of it. */
  readonly rewritten?: RewrittenEnd;
  readonly scope: {
    readonly names: string;
    readonly types: string;
    readonly transports: string;
    /** 0 is until the policy changes. */
    readonly milliseconds: number;
  };
  /** What an upstream's answer is judged by, in order; absent where there is nothing. */
  readonly responseRules?: readonly ExplainedResponseRule[];
  /** What decision points have said, of the rules that leave it to them. */
  readonly decisionPoints?: readonly ExplainedDecision[];
  readonly rules: readonly ConsideredRule[];
}

/** What becomes of a question, or of a name instead of it. */
export type End = Pick<
  Explanation,
  "outcome" | "policy" | "rule" | "upstream" | "meshNamespaces" | "denial" | "fault" | "records"
>;

export interface RewrittenEnd {
  /** Empty where it would be too long to be one. */
  readonly name: string;
  /** Absent where it fails. */
  readonly end?: End;
  readonly failure?: RewriteFailure;
}

export interface ExplainedDecision {
  readonly policy: string;
  readonly rule: string;
  readonly point: string;
  readonly said: "Accept" | "Deny" | "Pass";
  readonly reason: string;
  /** It could not be asked: that is what the rule takes it to say. */
  readonly failed: boolean;
}

export interface ExplainedResponseRule {
  readonly policy: string;
  readonly rule: string;
  readonly tier: string;
  readonly action: string;
  /** In mode Audit. */
  readonly audit: boolean;
}

const PROTOCOLS = {
  [Protocol.DOT]: "DoT",
  [Protocol.TCP]: "TCP",
  [Protocol.DOH]: "DoH",
  [Protocol.DOH3]: "DoH3",
} as const;

export function describeVerdict(
  snapshot: Snapshot,
  request: DecisionRequest,
  verdict: Verdict,
  rules: readonly ConsideredRule[],
  said: Readonly<Record<string, SaidOfRule>> = {},
): Explanation {
  const { client, scope } = verdict;
  const address = presentAddress(request.address);
  const limits = describeLimits(verdict);
  return {
    question: {
      name: presentName(request.qname),
      type: typeName(request.qtype),
      transport: nameOf(TRANSPORTS, request.transport),
    },
    client: {
      address,
      tenant: client.tenant,
      block: `${maskAddress(request.address, client.prefix)}/${client.prefix}`,
    },
    revision: verdict.revision,
    ...describeEnd(snapshot, request, verdict, client),
    ...describeRewritten(snapshot, request, verdict),
    ...describeMirror(snapshot, verdict),
    scope: { names: describeNames(scope, request.qname), types: describeTypes(scope), ...describeWhen(scope) },
    rules,
    ...describeResponses(verdict.responses),
    ...describeDecisions(said),
    ...(limits.length === 0 ? {} : { limits }),
  };
}

function describeEnd(
  { revision, tables }: Snapshot,
  { qtype }: DecisionRequest,
  outcome: Outcome,
  { unexplained }: VerdictClient,
): End {
  const { policy, rule } = outcome;
  if ("rewrite" in outcome) return { policy, rule, outcome: "rewrite" };
  const about = { policy, rule, ...describeMesh(tables, outcome.mesh_view) };
  if ("deny" in outcome) {
    const { rcode, form, ede_code, ede_text, ttl, records } = outcome.deny;
    const shape = form === DenyForm.DROP || form === DenyForm.TRUNCATE ? { form: FORMS[form] } : {};
    const ede = unexplained ? "none" : edeName(ede_code);
    const denial = { rcode: rcodeName(rcode), ...shape, ede, text: ede_text, ttl };
    const own = form === DenyForm.RECORDS ? { records: recordsFor(records, qtype) } : {};
    return { ...about, outcome: "deny", denial, ...own };
  }
  if ("fault" in outcome) return { ...about, outcome: "fault", fault: { code: faultCode(outcome.fault) } };
  if ("answer" in outcome) {
    return { ...about, outcome: "answer", records: recordsFor(outcome.answer.records, qtype) };
  }
  const upstream = revision.upstreams.find(({ id }) => id === outcome.forward.upstream);
  const { name = "", protocol = Protocol.DOT } = upstream ?? {};
  return { ...about, outcome: "forward", upstream: { name, protocol: PROTOCOLS[protocol] } };
}

function describeRewritten(
  snapshot: Snapshot,
  request: DecisionRequest,
  verdict: Verdict,
): Pick<Explanation, "rewritten"> {
  const rewritten = followRewrite(snapshot, request, verdict);
  if (rewritten === undefined) return {};
  const { qname } = rewritten;
  const name = qname === undefined ? "" : presentName(qname);
  if ("failure" in rewritten) return { rewritten: { name, failure: rewritten.failure } };
  return { rewritten: { name, end: describeEnd(snapshot, request, rewritten.outcome, verdict.client) } };
}

function describeMirror({ revision }: Snapshot, { mirror }: Verdict): Pick<Explanation, "mirror"> {
  if (mirror === undefined) return {};
  const upstream = revision.upstreams.find(({ id }) => id === mirror.upstream)?.name ?? "";
  return { mirror: { upstream, percent: mirror.chance === 0 ? 100 : mirror.chance / 100 } };
}

function describeMesh({ mesh }: CompiledTables, id: string | undefined): Pick<Explanation, "meshNamespaces"> {
  const view = mesh.views.find((one) => one.id === id);
  return view === undefined ? {} : { meshNamespaces: view.namespaces ?? ["*"] };
}

const RESPONSE_ACTIONS = new Map<number, string>([
  [RuleAction.ACCEPT, "Accept"],
  [RuleAction.DENY, "Deny"],
  [RuleAction.PASS, "Pass"],
]);

function describeResponses(responses: ResponseRulesMessage | undefined): Pick<Explanation, "responseRules"> {
  if (responses === undefined) return {};
  const responseRules = responses.rules.map(({ tier, action, outcome }) => ({
    policy: outcome.policy,
    rule: outcome.rule,
    tier: TIERS[tier] ?? "",
    action: RESPONSE_ACTIONS.get(action) ?? "",
    audit: outcome.audits.length > 0,
  }));
  return { responseRules };
}

function describeDecisions(said: Readonly<Record<string, SaidOfRule>>): Pick<Explanation, "decisionPoints"> {
  const decisionPoints = Object.entries(said).map(([key, { point, action, reason, failed = false }]) => {
    const [policy = "", rule = ""] = key.split("/");
    return { policy, rule, point, said: action, reason, failed };
  });
  return decisionPoints.length === 0 ? {} : { decisionPoints };
}

const FORMS = { [DenyForm.DROP]: "Drop", [DenyForm.TRUNCATE]: "Truncate" } as const;

function faultCode({ rcode, form }: Fault): string {
  return form === DenyForm.DROP || form === DenyForm.TRUNCATE ? FORMS[form] : rcodeName(rcode);
}

/** Of the question's type, or an alias, which speaks for all types. */
function recordsFor(records: readonly RecordMessage[], qtype: number): string[] {
  return records.filter(({ type }) => type === qtype || type === TYPE_CNAME).map(presentRecord);
}

function describeNames({ labels, extent, except }: VerdictScope, qname: Uint8Array): string {
  const owner = presentName(lastLabels(qname, labels));
  if (extent === Extent.EXACT) return `${owner} alone`;
  if (extent === Extent.AT_OR_BELOW) return owner === "." ? "every name" : `${owner} and every name below`;
  const below = `every name below ${owner}`;
  return except.length === 0 ? below : `${below}, but for ${except.length} of its next labels`;
}

function lastLabels(qname: Uint8Array, labels: number): Uint8Array {
  const starts: number[] = [];
  for (let at = 0; at < qname.length; at += 1 + (qname[at] ?? 0)) starts.push(at);
  return qname.subarray(starts.at(-1 - labels) ?? 0);
}

function describeTypes({ types, types_excluded }: VerdictScope): string {
  if (types.length === 0) return "every type";
  const named = types.map(typeName).join(", ");
  return types_excluded ? `every type but ${named}` : named;
}

function describeWhen({
  transports,
  lifetime_ms,
}: VerdictScope): Pick<Explanation["scope"], "transports" | "milliseconds"> {
  const named = TRANSPORTS.filter((_, transport) => (transports & (1 << transport)) !== 0);
  return { transports: transports === 0 ? "every transport" : named.join(", "), milliseconds: lifetime_ms };
}

function edeName(code: number): string {
  const name = Object.entries(EDE_CODES).find(([, known]) => known === code)?.[0];
  return name === undefined ? String(code) : `${code} (${name})`;
}

function maskAddress(octets: Uint8Array, prefix: number): string {
  return presentAddress(octets.map((octet, index) => octet & (0xff00 >> Math.max(0, Math.min(8, prefix - index * 8)))));
}
