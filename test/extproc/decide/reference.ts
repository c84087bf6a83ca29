/**
 * The policy language once more, without tries, tables or numbers: every rule and every block is looked at in turn.
 * Slow and plainly right, to hold the compiled form against.
 */
import ipaddr from "ipaddr.js";
import type { NameList } from "../../../extproc/resources/list-schema.ts";
import type { NamePattern } from "../../../extproc/resources/name-pattern.ts";
import type { Network } from "../../../extproc/resources/network.ts";
import type { Policy } from "../../../extproc/resources/policy-schema.ts";
import type { PrincipalPattern } from "../../../extproc/resources/principal.ts";
import type { Rule } from "../../../extproc/resources/rule-schema.ts";
import type { Resource } from "../../../extproc/resources/schema.ts";
import type { MatchEntry, Tenant } from "../../../extproc/resources/tenant-schema.ts";
import { askOracle } from "./oracle.ts";

export interface PlainRequest {
  readonly address: string;
  readonly principal?: string | undefined;
  readonly serverName?: string | undefined;
  readonly path?: string | undefined;
  readonly pod?: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> } | undefined;
  readonly tenant?: string | undefined;
  /** Leftmost first; ASCII in lower case. */
  readonly labels: readonly string[];
  readonly qtype: number;
  /** Transport of verdict.proto. */
  readonly transport: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface PlainVerdict {
  readonly client: string;
  readonly policy: string;
  readonly rule: string;
  readonly action: string;
  /** Rules in mode Audit that matched: `policy/rule action percent`. */
  readonly audits: readonly string[];
  /** What puts the answer off: milliseconds and percentage. */
  readonly delays: readonly string[];
  /** Bounds of TTLs, whether the answer is stripped of its type, and who is asked beside the upstream. */
  readonly ttl: string;
  /** What comes about by chance instead, with the percentage in front of it. */
  readonly alternatives: readonly string[];
  /** What is not asked upstream where too many names were not there; empty for nothing. */
  readonly storm: string;
  /** Response rules in order, each with its tier, and `?` in mode Audit. */
  readonly responses: readonly string[];
}

const NOTHING_MORE = { alternatives: [], storm: "", responses: [] };

/** A verdict names no more. */
const MAX_AUDITS = 8;
const MAX_DELAYS = 8;

export function judgePlainly(resources: readonly Resource[], asked: PlainRequest): PlainVerdict {
  const request = { ...asked, labels: aLabels(asked.labels) };
  const tenants = resources.filter((one) => one.kind === "Tenant");
  const client = whose(tenants, request);
  const tenant = tenants.find(({ metadata }) => `tenant ${metadata.name}` === client);
  if (tenant === undefined)
    return { client, policy: "", rule: "", action: "deny 5", audits: [], delays: [], ttl: "0-0", ...NOTHING_MORE };
  const policies = resources
    .filter((one) => one.kind === "DnsPolicy" || one.kind === "ClusterDnsPolicy")
    .filter((policy) => speaksOf(policy, tenant.metadata.name, request));
  const lists = resources.filter((one) => one.kind === "NameList");
  const audited: Decisive[] = [];
  const draws: Draw[] = [];
  const delaying: Rule[] = [];
  const decisive = decidingRule(policies, request, audited, draws, delaying, lists, tenant.metadata.name);
  const clamps = (rules: readonly Rule[]) => {
    const bounds = rules.flatMap(({ ttl }) => (ttl === undefined ? [] : [ttl]));
    const max = Math.min(...bounds.map((one) => one.max ?? Number.POSITIVE_INFINITY));
    const min = Math.min(max, Math.max(0, ...bounds.map((one) => one.min ?? 0)));
    const stripped = rules.some(({ action }) => action === "Strip") ? " stripped" : "";
    const mirror = rules.find(({ action }) => action === "Mirror");
    const beside = mirror === undefined ? "" : ` beside ${mirror.mirror?.upstream} ${mirror.match.percent ?? 0}`;
    return `${min}-${max === Number.POSITIVE_INFINITY ? 0 : max}${stripped}${beside}`;
  };
  const putsOff = (rules: readonly Rule[]) => rules.filter(({ action }) => action === "Fault");
  const delays = putsOff(delaying)
    .slice(0, MAX_DELAYS)
    .map(({ fault, match }) => `${fault?.delay}ms ${match.percent ?? 0}`);
  const ownDelay = (rule: Rule | undefined) => (rule?.fault?.delay === undefined ? [] : [`${rule.fault.delay}ms 0`]);
  const upstream = upstreamOf(tenant, request.labels);
  const watched = watchedBy(tenant);
  const audits = [
    ...watched,
    ...audited
      .slice(0, MAX_AUDITS)
      .map((one) => `${nameOf(one)} ${one.rule.action} ${one.rule.match.percent ?? 0}${rateOf(one.rule)}`),
  ];
  return {
    client,
    policy: decisive?.policy.metadata.name ?? "",
    rule: decisive?.rule.name ?? "",
    action: actionOf(decisive?.rule, upstream, tenant),
    audits: audits.slice(0, MAX_AUDITS),
    delays: [...delays, ...ownDelay(decisive?.rule)],
    ttl: clamps(delaying),
    alternatives: [
      ...limitsOf(tenant),
      ...draws.map((draw) => {
        const before = [...delays.slice(0, putsOff(delaying.slice(0, draw.delays)).length), ...ownDelay(draw.rule)];
        const action = actionOf(draw.rule, upstream, tenant);
        return `${draw.rule.match.percent ?? 0}%${rateOf(draw.rule)} ${nameOf(draw)} ${action} [${audits.slice(0, Math.min(MAX_AUDITS, watched.length + draw.audits))}] [${before}] ${clamps(delaying.slice(0, draw.delays))}`;
      }),
    ],
    storm: stormOf(tenant),
    responses: [
      ...responsesOf(policies.filter((policy) => tierOf(policy) === "Admin")),
      ...guardsOf(tenant),
      ...responsesOf(policies.filter((policy) => tierOf(policy) !== "Admin")),
    ],
  };
}

/** A name is judged by its A-labels, whatever its client has sent. */
export function aLabels(labels: readonly string[]): string[] {
  return labels.map((label) =>
    /[\u0080-\uffff]/.test(label) ? new URL(`http://${label}.a`).hostname.slice(0, -2) : label,
  );
}

function responsesOf(policies: readonly Policy[]): string[] {
  return inOrder(policies).flatMap((policy) =>
    policy.spec.responseRules
      .filter((rule) => rule.mode !== "Disabled" && policy.spec.mode !== "Disabled")
      .map((rule) => {
        const trial = rule.mode === "Audit" || policy.spec.mode === "Audit" ? "?" : "";
        return `${tierOf(policy)} ${policy.metadata.name}/${rule.name} ${rule.action}${trial}`;
      }),
  );
}

function guardsOf({ spec }: Tenant): string[] {
  const mode = spec.guards?.rebinding?.mode ?? "Off";
  return mode === "Off" ? [] : [`Guard guards/rebinding Deny${mode === "Audit" ? "?" : ""}`];
}

const TIERS = ["Admin", "Tenant", "Baseline"];

function tierOf(policy: Policy): string {
  return policy.kind === "DnsPolicy" ? "Tenant" : policy.spec.tier;
}

/** Tier after tier, in a tier by priority. */
function inOrder(policies: readonly Policy[]): Policy[] {
  return TIERS.flatMap((tier) =>
    policies.filter((policy) => tierOf(policy) === tier).toSorted((a, b) => a.spec.priority - b.spec.priority),
  );
}

/** Guards on trial come before the rules that are. */
function watchedBy({ spec: { guards } }: Tenant): string[] {
  const { exfiltration, nxdomain } = guards ?? {};
  return [
    ...(exfiltration?.mode === "Audit"
      ? [
          `guards/exfiltration RateLimit 0 above ${exfiltration.octets} in ${exfiltration.per}ms by Tenant after ${exfiltration.octets}`,
        ]
      : []),
    ...(nxdomain?.mode === "Audit" ? [`guards/nxdomain RateLimit 0 ${aboveOf(nxdomain)}`] : []),
  ];
}

type Storm = NonNullable<NonNullable<Tenant["spec"]["guards"]>["nxdomain"]>;

function aboveOf({ answers, per, by }: Storm): string {
  return `above ${answers} in ${per}ms by ${by} after ${answers}`;
}

function stormOf({ spec: { guards } }: Tenant): string {
  const guard = guards?.nxdomain;
  return guard?.mode === "Limit" ? `0% ${aboveOf(guard)} guards/nxdomain deny 5 [] [] 0-0` : "";
}

/** What is above a tenant's own limits is refused, whatever rules say. */
function limitsOf({ spec: { limits, guards } }: Tenant): string[] {
  const above = (limit: string, rate: number, per: number, burst: number) =>
    `0% above ${rate} in ${per}ms by Tenant after ${burst} ${limit} deny 5 [] [] 0-0`;
  const { mode, octets = 0, per = 0 } = guards?.exfiltration ?? {};
  const { queries, uniqueNames } = limits ?? {};
  return [
    ...(queries ? [above("limits/queries", queries.rate, queries.per, queries.burst)] : []),
    ...(uniqueNames ? [above("limits/uniqueNames", uniqueNames, 1000, uniqueNames)] : []),
    ...(mode === "Limit" ? [above("guards/exfiltration", octets, per, octets)] : []),
  ];
}

function nameOf({ policy, rule }: Decisive): string {
  return `${policy.metadata.name}/${rule.name}`;
}

/** Of a rule that has a word only above a rate. */
function rateOf({ rateLimit }: Rule): string {
  if (rateLimit === undefined) return "";
  const { queries, per, burst, by } = rateLimit;
  return ` above ${queries} in ${per}ms by ${by} after ${burst}`;
}

function actionOf(rule: Rule | undefined, upstream: string | undefined, tenant: Tenant): string {
  const names = tenant.spec.isolation === undefined ? "" : `names of ${tenant.metadata.name}, `;
  if (rule?.action === "Answer") {
    const [record] = rule.answer?.records ?? [];
    if (record?.type !== 5) return `answer ${record?.type}`;
    const target = record.text.replace("CNAME ", "");
    const place = upstreamOf(tenant, target.split("."));
    return place === undefined ? "deny 5" : `answer ${target} by ${place}`;
  }
  if (rule?.action === "Rewrite") {
    const { from, to } = rule.rewrite ?? {};
    const usual = upstream === undefined ? "nowhere" : upstream;
    return `${names}rewrite ${from?.text ?? "all"} to ${to?.text}, else ${usual}`;
  }
  if (rule?.action === "Fault") return `fault ${rule.fault?.code}`;
  if (rule?.action === "Route") return `forward ${rule.route?.upstream}`;
  if (rule?.action !== "Deny" && rule?.action !== "RateLimit")
    return `${names}${upstream === undefined ? "deny 5" : `forward ${upstream}`}`;
  const { code, addresses } = rule.response ?? {};
  if (addresses !== undefined) return `deny 0 addresses ${addresses.map((octets) => octets.length).join(" ")}`;
  const usual = rule.action === "RateLimit" ? 5 : rule.match.types ? 0 : 3;
  if (code === undefined) return `deny ${usual}`;
  if (code === "Drop" || code === "Truncate") return `deny ${usual} ${code}`;
  return `deny ${{ NODATA: 0, NXDOMAIN: 3, REFUSED: 5 }[code]}`;
}

function speaksOf({ spec: { subject, except } }: Policy, tenant: string, request: PlainRequest): boolean {
  const isOneOf = (who: NonNullable<Policy["spec"]["except"]> & { tenants?: readonly string[] | undefined }) =>
    (who.tenants === undefined || who.tenants.includes(tenant)) &&
    (who.principals === undefined ||
      who.principals.some((pattern) => specificity(pattern, request.principal) !== undefined)) &&
    (who.cidrs === undefined || longestBlock(who.cidrs, request.address) !== undefined) &&
    isPodOf(who.namespaces, who.workloads, request.pod);
  return isOneOf(subject) && !(except !== undefined && isOneOf(except));
}

interface Decisive {
  readonly policy: Policy;
  readonly rule: Rule;
}

interface Draw extends Decisive {
  /** Audits and delays that were met before it. */
  readonly audits: number;
  readonly delays: number;
}

/** Tier after tier; in a tier by priority, in a policy rule after rule; a Pass goes on with the next tier. */
function decidingRule(
  policies: readonly Policy[],
  request: PlainRequest,
  audited: Decisive[],
  draws: Draw[],
  delaying: Rule[],
  lists: readonly NameList[],
  tenant: string,
): Decisive | undefined {
  for (const tier of TIERS) {
    const found = decidingRuleOf(
      inOrder(policies.filter((policy) => tierOf(policy) === tier)),
      request,
      audited,
      draws,
      delaying,
      lists,
      tenant,
    );
    if (found !== undefined && found.rule.action !== "Pass") return found;
  }
  return undefined;
}

function decidingRuleOf(
  policies: readonly Policy[],
  request: PlainRequest,
  audited: Decisive[],
  draws: Draw[],
  delaying: Rule[],
  lists: readonly NameList[],
  tenant: string,
): Decisive | undefined {
  for (const policy of policies) {
    if (policy.spec.mode === "Disabled") continue;
    // What is in mode Audit is written down and has no word: of a policy up to the first that would surely have ended it.
    let ended = false;
    for (let rule of policy.spec.rules) {
      if (rule.mode === "Disabled" || !matches(rule, request, lists)) continue;
      if (rule.action === "Decide") rule = { ...rule, action: saidOf(rule, tenant, request) };
      const percent = rule.match.percent;
      // A rule that only puts the answer off, or bounds its TTLs, decides nothing.
      const limits = rule.action === "RateLimit";
      const decides =
        !limits &&
        !["Ttl", "Strip", "Mirror"].includes(rule.action) &&
        (rule.action !== "Fault" || rule.fault?.code !== undefined);
      if (policy.spec.mode === "Audit" || rule.mode === "Audit") {
        if (!ended) audited.push({ policy, rule });
        ended ||= percent === undefined && decides;
      } else if (!decides && !limits) {
        delaying.push(rule);
      } else if (percent === undefined && !limits) {
        return { policy, rule };
      } else {
        draws.push({ policy, rule, audits: audited.length, delays: delaying.length });
      }
    }
  }
  return undefined;
}

/** What its decision point makes of the question. */
function saidOf({ decide }: Rule, tenant: string, request: PlainRequest) {
  const { address, time, ...question } = request;
  const client = decide?.byClient ? Buffer.from(ipaddr.process(address).toByteArray()).toString("hex") : undefined;
  return askOracle({ ...question, tenant, client }, time).action;
}

function matches(
  { match, fault }: Rule,
  { labels, qtype, transport, time }: PlainRequest,
  named: readonly NameList[],
): boolean {
  const { names, lists, nameRegex, types, transports, schedule } = match;
  const over = ["UDP", "TCP", "DoT", "DoH", "DoH3"][transport];
  return (
    (names === undefined || names.some((pattern) => matchesName(pattern, labels))) &&
    (lists === undefined ||
      lists.some((name) =>
        isListed(
          named.find(({ metadata }) => metadata.name === name),
          labels,
        ),
      )) &&
    (nameRegex === undefined || nameRegex.some((regex) => matchesRegex(regex, labels))) &&
    (types === undefined || types.includes(qtype)) &&
    (fault?.code !== "Truncate" || over === "UDP") &&
    (transports === undefined || transports.some((one) => one === over)) &&
    (schedule === undefined || isWithin(schedule, time))
  );
}

function isListed(list: NameList | undefined, labels: readonly string[]): boolean {
  const { inline = [], subdomains = false } = list?.spec ?? {};
  return inline.some(
    (pattern) =>
      matchesName(pattern, labels) ||
      (subdomains &&
        pattern.extent === "exact" &&
        endsWith(labels, textOf(pattern)) &&
        labels.length > pattern.labels.length),
  );
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** By the clock on the wall; a window over midnight is of the day on which it begins. */
function isWithin({ days, between, timeZone }: NonNullable<Rule["match"]["schedule"]>, time: number): boolean {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  formats.set(timeZone, format);
  const [day = "", hour = "", minute = ""] = format.format(time).split(/[ ,:]+/);
  const now = Number(hour) * 60 + Number(minute);
  const [start, end] = between ?? [0, 24 * 60];
  const yesterday = WEEK[(WEEK.indexOf(day) + 6) % 7];
  const on = (which: string | undefined) => days === undefined || days.some((one) => one === which);
  if (start < end) return on(day) && now >= start && now < end;
  return (on(day) && now >= start) || (on(yesterday) && now < end);
}

const WEEK = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

function textOf(pattern: NamePattern): string[] {
  return pattern.labels.map((label) => Buffer.from(label).toString("latin1"));
}

function matchesName(pattern: NamePattern, labels: readonly string[]): boolean {
  if (pattern.extent === "every") return true;
  const base = textOf(pattern);
  if (pattern.extent === "exact") return labels.join(".") === base.join(".");
  return labels.length > base.length && endsWith(labels, base);
}

/** Labels of the tests have nothing that is escaped. */
function matchesRegex(regex: string, labels: readonly string[]): boolean {
  return new RegExp(`^(?:${regex})$`, "i").test(labels.length === 0 ? "." : labels.join("."));
}

function endsWith(labels: readonly string[], base: readonly string[]): boolean {
  return base.length === 0 || labels.slice(-base.length).join(".") === base.join(".");
}

function upstreamOf({ spec }: Tenant, labels: readonly string[]): string | undefined {
  let longest = -1;
  let found = spec.upstream;
  for (const { zones, upstream } of spec.forward) {
    for (const zone of zones) {
      const base = textOf(zone);
      if (base.length <= labels.length && endsWith(labels, base) && base.length > longest) {
        longest = base.length;
        found = upstream;
      }
    }
  }
  return found;
}

function whose(tenants: readonly Tenant[], request: PlainRequest): string {
  if (request.tenant !== undefined) {
    return tenants.some(({ metadata }) => metadata.name === request.tenant) ? `tenant ${request.tenant}` : "unknown";
  }
  let best: { name: string; rank: readonly number[] } | undefined;
  const consider = (name: string, rank: readonly number[]) => {
    if (best === undefined || isGreater(rank, best.rank)) best = { name, rank };
  };
  for (const { metadata, spec } of tenants) {
    for (const entry of spec.match) {
      if (!claimsHold(entry, request)) continue;
      const length = longestBlock(entry.cidrs, request.address);
      if (length === undefined) continue;
      for (const pattern of entry.principals ?? []) {
        const rank = specificity(pattern, request.principal);
        if (rank !== undefined) consider(metadata.name, [...rank, length]);
      }
    }
  }
  if (best !== undefined) return `tenant ${best.name}`;
  const requiring = tenants.filter(({ spec }) => spec.requires === "principal");
  const claimed = requiring.some(({ spec }) =>
    spec.match.some(({ cidrs }) => cidrs !== undefined && longestBlock(cidrs, request.address) !== undefined),
  );
  if (claimed) return "unidentified";
  for (const { metadata, spec } of tenants) {
    for (const entry of spec.match) {
      if (entry.namespaces === undefined && entry.podLabels === undefined) continue;
      if (!claimsHold(entry, request) || !isPodOf(entry.namespaces, entry.podLabels, request.pod)) continue;
      return spec.requires === "principal" ? "unidentified" : `tenant ${metadata.name}`;
    }
  }
  for (const { metadata, spec } of tenants) {
    if (spec.requires === "principal") continue;
    for (const entry of spec.match) {
      if (entry.principals || entry.namespaces || entry.podLabels || !claimsHold(entry, request)) continue;
      const length = longestBlock(entry.cidrs, request.address);
      if (length !== undefined) consider(metadata.name, [length]);
    }
  }
  return best === undefined ? "unknown" : `tenant ${(best as { name: string }).name}`;
}

type Selector = NonNullable<MatchEntry["podLabels"]>;

function isPodOf(
  namespaces: readonly string[] | undefined,
  labels: Selector | undefined,
  pod: PlainRequest["pod"],
): boolean {
  if (namespaces === undefined && labels === undefined) return true;
  if (pod === undefined || namespaces?.includes(pod.namespace) === false) return false;
  const own = new Map(Object.entries(pod.labels));
  const equal = Object.entries(labels?.matchLabels ?? {}).every(([key, value]) => own.get(key) === value);
  const fits = (labels?.matchExpressions ?? []).every(({ key, operator, values }) => {
    const value = own.get(key);
    if (operator === "In") return value !== undefined && values.includes(value);
    if (operator === "NotIn") return value === undefined || !values.includes(value);
    return (value !== undefined) === (operator === "Exists");
  });
  return equal && fits;
}

function claimsHold({ serverNames, paths }: MatchEntry, { serverName, path }: PlainRequest): boolean {
  const name = serverName?.toLowerCase().replace(/\.$/, "");
  return (
    (serverNames === undefined || (name !== undefined && serverNames.includes(name))) &&
    (paths === undefined || (path !== undefined && paths.includes(path)))
  );
}

const addresses = new Map<string, ReturnType<typeof ipaddr.process>>();
const blocks = new Map<string, ReturnType<typeof ipaddr.parseCIDR>>();

/** Reading addresses takes most of the time that there is. */
function remember<T>(known: Map<string, T>, text: string, read: (text: string) => T): T {
  const found = known.get(text) ?? read(text);
  known.set(text, found);
  return found;
}

/** -1: no block is asked for; undefined: none of them holds the address. */
function longestBlock(cidrs: readonly Network[] | undefined, address: string): number | undefined {
  if (cidrs === undefined) return -1;
  const parsed = remember(addresses, address, (text) => ipaddr.process(text));
  const lengths = cidrs
    .map(({ text }) => remember(blocks, text, (block) => ipaddr.parseCIDR(block)))
    .filter(([base, length]) => base.kind() === parsed.kind() && parsed.match(base, length))
    .map(([, length]) => length);
  return lengths.length === 0 ? undefined : Math.max(...lengths);
}

/** For each segment 1 for a literal, 0 for a wildcard; undefined where the pattern does not match. */
function specificity({ segments }: PrincipalPattern, principal: string | undefined): number[] | undefined {
  const own = principal?.replace("spiffe://", "").split("/");
  if (own?.length !== segments.length) return undefined;
  if (!segments.every((segment, index) => segment === "*" || segment === own[index])) return undefined;
  return segments.map((segment) => (segment === "*" ? 0 : 1));
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value > other;
  }
  return false;
}
