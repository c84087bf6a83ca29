/** A rule of a policy: what it is about, and what it does. */

import { z } from "zod";
import { admission, oneOf } from "./admission.ts";
import {
  delay,
  interval,
  name,
  nameRegex,
  pattern,
  percent,
  record,
  recordType,
  resourceName,
  ruleName,
  schedule,
  ttl,
  window,
} from "./field.ts";
import { NamePattern } from "./name-pattern.ts";
import { TYPE_CNAME } from "./record.ts";
import { NO_NXDOMAIN_BESIDE_TYPES, response } from "./response-schema.ts";
import { fail, list, mode, TRANSPORTS } from "./schema-parts.ts";

/** What a verdict may carry (verdict.proto). */
const MAX_RECORDS = 64;
const MAX_RECORD_OCTETS = 4096;

/** Each is looked up for every decision that comes to the rule. */
const MAX_LISTS = 16;
/** A question may have to be matched against each of them. */
export const MAX_REGEXES = 16;

const matchFields = z
  .strictObject({
    names: list(pattern).optional(),
    /** NameLists, one of which has to have the name. */
    lists: list(resourceName).max(MAX_LISTS).optional(),
    nameRegex: list(nameRegex).max(MAX_REGEXES).optional(),
    types: list(recordType).optional(),
    transports: list(z.enum(TRANSPORTS)).optional(),
    schedule: schedule.optional(),
    percent: percent.optional(),
  })
  .superRefine((match, context) => {
    if (!match.names && !match.lists && !match.nameRegex && !match.types && !match.transports && !match.schedule) {
      fail(
        context,
        [],
        'expected names, lists, nameRegex, types, transports or schedule, got none of them (names: ["*"] is every name)',
      );
    }
  });
const ruleMatch = admission(matchFields, oneOf("names", "lists", "nameRegex", "types", "transports", "schedule"));

/** Records of the name that is asked for; a CNAME is followed. */
const answer = z
  .strictObject({ ttl: ttl.optional(), records: list(record).max(MAX_RECORDS) })
  .superRefine(({ records }, context) => {
    const alias = records.findIndex(({ type }) => type === TYPE_CNAME);
    if (alias >= 0 && records.length > 1) {
      fail(
        context,
        ["records", alias],
        "expected a CNAME alone (RFC 1034, section 3.6.2), got other records beside it",
      );
    }
    const octets = records.reduce((sum, { data }) => sum + data.length, 0);
    if (octets > MAX_RECORD_OCTETS) {
      fail(context, ["records"], `expected at most ${MAX_RECORD_OCTETS} octets of data, got ${octets}`);
    }
  });

/** The least and the greatest TTL. */
export const ttlBounds = z
  .strictObject({ min: ttl.optional(), max: ttl.optional() })
  .superRefine(({ min, max }, context) => {
    if (min === undefined && max === undefined) fail(context, [], "expected min or max, got neither");
    for (const [field, value] of Object.entries({ min, max })) {
      if (value === 0) fail(context, [field], "expected at least 1s, got 0s");
    }
    if (min !== undefined && max !== undefined && min > max)
      fail(context, ["min"], "expected no more than max, got more");
  })
  .meta({ minProperties: 1 });

/** What goes wrong: an answer that is late, or is none. */
const fault = z
  .strictObject({
    delay: delay.optional(),
    code: z.enum(["SERVFAIL", "REFUSED", "NXDOMAIN", "FORMERR", "NOTIMP", "Drop", "Truncate"]).optional(),
  })
  .superRefine(({ delay, code }, context) => {
    if (delay === undefined && code === undefined) fail(context, [], "expected delay or code, got neither");
  })
  .meta({ minProperties: 1 });

/** Who is counted by itself: each client, an IPv4 address or an IPv6 /64; or all clients of a tenant together. */
export const COUNTED_BY = z.enum(["Client", "Tenant"]);

/** What a token bucket holds in the filter's numbers. */
export const MAX_COUNT = 1_000_000;

export const count = z.int().min(1).max(MAX_COUNT);

/** How many queries go on to the next rule; `response` says what those above get. */
const rateLimit = z
  .strictObject({
    queries: count,
    per: window.default(1000),
    burst: count.optional(),
    by: COUNTED_BY.default("Client"),
  })
  .transform(({ burst, ...rate }) => ({ ...rate, burst: burst ?? rate.queries }));

/** What of a name is replaced, and by what: a suffix, at or above every name that the rule matches; without one the whole name. */
const rewrite = z.strictObject({ from: name.optional(), to: name });
/** A decision point says Accept, Deny or Pass; `response` says what is denied how. */
const decide = z.strictObject({
  /** Of Settings. */
  by: resourceName,
  /** For how long it holds what was said, if that says no less. */
  ttl: interval.default(30),
  /** What it is taken to say when it says nothing. */
  onError: z.enum(["Deny", "Pass"]).default("Deny"),
  /** It is told the client's address, and each client has decisions of its own. */
  byClient: z.boolean().default(false),
});

/** Fields that say more of some actions. */
const ACTIONS_OF: Readonly<Record<string, readonly string[]>> = {
  response: ["Deny", "RateLimit", "Decide"],
  decide: ["Decide"],
  route: ["Route"],
  answer: ["Answer"],
  ttl: ["Ttl"],
  fault: ["Fault"],
  rateLimit: ["RateLimit"],
  rewrite: ["Rewrite"],
  mirror: ["Mirror"],
};
const ACTION_FIELDS = [
  "response",
  "route",
  "answer",
  "ttl",
  "fault",
  "rateLimit",
  "rewrite",
  "mirror",
  "decide",
] as const;

/** What actions are nothing without, and what has to be in it. */
const NEEDED_BY = {
  Fault: ["fault", "delay or code"],
  RateLimit: ["rateLimit", "queries"],
  Ttl: ["ttl", "min or max"],
  Answer: ["answer", "records"],
  Route: ["route", "an upstream"],
  Rewrite: ["rewrite", "a name"],
  Mirror: ["mirror", "an upstream"],
  Decide: ["decide", "by"],
} as const;

const ruleFields = z
  .strictObject({
    name: ruleName,
    mode,
    match: ruleMatch,
    action: z.enum([
      "Accept",
      "Deny",
      "Pass",
      "Route",
      "Answer",
      "Ttl",
      "Strip",
      "Fault",
      "RateLimit",
      "Rewrite",
      "Mirror",
      "Decide",
    ]),
    response: response.optional(),
    route: z.strictObject({ upstream: resourceName }).optional(),
    answer: answer.optional(),
    ttl: ttlBounds.optional(),
    fault: fault.optional(),
    rateLimit: rateLimit.optional(),
    rewrite: rewrite.optional(),
    /** Whom the question is sent to as well, to compare. */
    mirror: z.strictObject({ upstream: resourceName }).optional(),
    decide: decide.optional(),
  })
  .superRefine((rule, context) => {
    const { match, action, response } = rule;
    for (const field of ACTION_FIELDS) {
      if (rule[field] && !ACTIONS_OF[field]?.includes(action)) {
        fail(context, [field], `expected no ${field} with action ${action}, got a map`);
      }
    }
    for (const [needing, [field, content]] of Object.entries(NEEDED_BY)) {
      if (action === needing && !rule[field])
        fail(context, [field], `expected ${content} with action ${action}, got nothing`);
    }
    if (rule.fault?.code === "Truncate" && match.transports?.some((transport) => transport !== "UDP")) {
      fail(context, ["match", "transports"], "expected UDP alone, over which answers are truncated, got others");
    }
    if (match.percent !== undefined && (action === "Ttl" || action === "Strip")) {
      fail(context, ["match", "percent"], `expected no percent with action ${action}, got one: it decides nothing`);
    }
    if (action === "Strip" && !match.types) {
      fail(context, ["match", "types"], "expected the types whose records are left out, got nothing");
    }
    checkRewrite(rule, context);
    if (match.percent !== undefined && (action === "Pass" || action === "Decide")) {
      const message = `expected no percent with action ${action}, got one: chance decides, or does not`;
      fail(context, ["match", "percent"], message);
    }
    if (match.types && response?.code === "NXDOMAIN") {
      fail(
        context,
        ["response", "code"],
        "expected NODATA or REFUSED where types are given, got NXDOMAIN, which would deny every type (RFC 8020)",
      );
    }
  });

export const rule = admission(
  ruleFields,
  ...ACTION_FIELDS.map((field) => {
    const actions = ACTIONS_OF[field] ?? [];
    const rule = `!has(self.${field}) || self.action in ${JSON.stringify(actions)}`;
    return { rule, message: `expected ${field} only with action ${actions.join(" or ")}` };
  }),
  ...Object.entries(NEEDED_BY).map(([action, [field, content]]) => ({
    rule: `self.action != "${action}" || has(self.${field})`,
    message: `expected ${content} in ${field} with action ${action}`,
  })),
  {
    rule: 'self.action != "Strip" || has(self.match.types)',
    message: "expected in match.types the types whose records are left out, with action Strip",
  },
  {
    rule: '!has(self.match.percent) || !(self.action in ["Pass", "Ttl", "Strip", "Decide"])',
    message: "expected no match.percent with action Pass, Ttl, Strip or Decide",
  },
  NO_NXDOMAIN_BESIDE_TYPES,
);

type WrittenRewrite = Pick<z.output<typeof ruleFields>, "match" | "rewrite">;

/** What is replaced has to be there, and what comes of it is not rewritten again. */
function checkRewrite({ match, rewrite }: WrittenRewrite, context: z.RefinementCtx): void {
  const { from, to } = rewrite ?? {};
  if (from === undefined || to === undefined) return;
  if (!match.names) fail(context, ["match", "names"], `expected names at or below ${from.text}, got none`);
  for (const [index, pattern] of (match.names ?? []).entries()) {
    if (!pattern.isWithin(from)) {
      fail(context, ["match", "names", index], `expected names at or below ${from.text}, got ${pattern.text}`);
    } else if (pattern.extent !== "exact" && to.isWithin(new NamePattern(pattern.labels, "exact"))) {
      const message = `expected a name that is not below ${pattern.text}, got ${to.text}: no name is rewritten twice`;
      fail(context, ["rewrite", "to"], message);
    }
  }
}

export type Rule = z.output<typeof rule>;
