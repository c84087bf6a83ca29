/**
 * Random policy sets and questions out of few names, blocks and principals, so that they meet often.
 */
import fc from "fast-check";
import { documents, nameList, settings, type TierName, tenant, tierPolicy, upstream } from "../compile/compile-text.ts";
import type { PlainRequest } from "./reference.ts";

export const LABELS = ["a", "b", "c", "com", "x-y", "_dns", "xn--tda"];
/** In the octets of UTF-8, as some clients send it: what "xn--tda" stands for, also in capitals. */
const U_LABELS = ["\u00fc", "\u00dc"];
export const TYPES = [1, 28, 16, 65];
const TYPE_NAMES = ["A", "AAAA", "TXT", "HTTPS"];
const CIDRS = [
  "0.0.0.0/0",
  "10.0.0.0/8",
  "10.0.0.0/9",
  "10.128.0.0/9",
  "10.1.0.0/16",
  "10.1.2.0/24",
  "10.1.2.3/32",
  "127.0.0.0/8",
  "::/0",
  "fd00::/8",
  "fd00:1::/32",
  "fd00:1::5/128",
  "::/64",
];
export const ADDRESSES = [
  "10.0.0.1",
  "10.1.0.1",
  "10.1.2.3",
  "10.1.2.4",
  "10.127.255.255",
  "10.128.0.0",
  "11.0.0.0",
  "127.0.0.1",
  "0.0.0.0",
  "255.255.255.255",
  "::1",
  "fd00::1",
  "fd00:1::5",
  "fd00:1::6",
  "fd00:2::",
  "2001:db8::1",
  "::ffff:10.1.2.3",
  "::ffff:127.0.0.1",
  "ffff::",
];
const PRINCIPALS = [
  "spiffe://d.example/ns/web/sa/api",
  "spiffe://d.example/ns/web/sa/*",
  "spiffe://d.example/ns/*/sa/api",
  "spiffe://d.example/ns/*/sa/*",
  "spiffe://e.example/*",
];
const IDS = [
  "spiffe://d.example/ns/web/sa/api",
  "spiffe://d.example/ns/web/sa/db",
  "spiffe://d.example/ns/job/sa/api",
  "spiffe://d.example/ns/job/sa/db",
  "spiffe://e.example/x",
  "spiffe://f.example/x",
  "https://d.example/",
];
const SERVER_NAMES = ["one.example", "two.example"];
const PATHS = ["/one", "/two"];
const TENANTS = ["t0", "t1", "t2"];
const UPSTREAMS = ["u0", "u1"];
const LISTS = ["l0", "l1"];

const labels = fc.array(fc.constantFrom(...LABELS, ...U_LABELS), { maxLength: 4 });
const name = labels.map((parts) => (parts.length === 0 ? "." : parts.join(".")));
const pattern = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 4, arbitrary: name.map((base) => (base === "." ? "*" : `*.${base}`)) },
  { weight: 1, arbitrary: fc.constant("*") },
);

function some<T>(values: readonly T[], maxLength = 2): fc.Arbitrary<T[]> {
  return fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength });
}

const TRANSPORTS = ["UDP", "TCP", "DoT", "DoH", "DoH3"];
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"];
const WINDOWS = [
  ["08:00", "18:00"],
  ["22:00", "06:00"],
  ["00:00", "24:00"],
  ["02:30", "02:31"],
  ["01:30", "00:15"],
];

const schedule = fc
  .record(
    { days: some(DAYS, 5), between: fc.constantFrom(...WINDOWS), timeZone: fc.constantFrom(...ZONES) },
    { requiredKeys: [] },
  )
  .filter(({ days, between }) => days !== undefined || between !== undefined);

/** Clocks are put forward and back at 1:00 UTC on the last Sundays of March and October, in Berlin. */
const CHANGES = [Date.UTC(2026, 2, 29, 1), Date.UTC(2026, 9, 25, 1), Date.UTC(2026, 2, 8, 7), Date.UTC(2026, 3, 4, 15)];
const HOUR = 3_600_000;
const time = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2030, 0, 1) }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -3 * HOUR, max: 3 * HOUR }))
      .map(([at, by]) => at + by),
  },
);

const REGEXES = ["a\\..*", ".*B", "(a|b)\\.com", "[^.]*", "[ab.]{1,5}", "\\."];

/** Further ways in which a rule matches; few rules have one. */
const circumstances = fc.oneof(
  { weight: 3, arbitrary: fc.constant({}) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        transports: some(TRANSPORTS, 3),
        schedule,
        nameRegex: some(REGEXES, 2),
        percent: fc.constantFrom(0.01, 25, 100),
      },
      { requiredKeys: [] },
    ),
  },
);

const fault = fc
  .record(
    {
      delay: fc.constantFrom("1ms", "1s500ms"),
      code: fc.constantFrom("SERVFAIL", "NXDOMAIN", "FORMERR", "Drop", "Truncate"),
    },
    { requiredKeys: [] },
  )
  .filter(({ delay, code }) => delay !== undefined || code !== undefined);

const mode = fc.constantFrom("Enforce", "Enforce", "Audit", "Disabled");

const rule = fc
  .record(
    {
      match: fc.oneof(
        fc.record(
          { names: fc.array(pattern, { minLength: 1, maxLength: 4 }), types: some(TYPE_NAMES) },
          {
            requiredKeys: ["names"],
          },
        ),
        fc.record({ types: some(TYPE_NAMES) }),
        fc.record(
          { lists: some(LISTS), names: fc.array(pattern, { minLength: 1, maxLength: 2 }) },
          { requiredKeys: ["lists"] },
        ),
      ),
      action: fc.constantFrom(
        "Accept",
        "Deny",
        "Deny",
        "Deny",
        "Pass",
        "Route",
        "Fault",
        "Answer",
        "Ttl",
        "Strip",
        "RateLimit",
        "Rewrite",
        "Mirror",
        "Decide",
      ),
      code: fc.constantFrom("NXDOMAIN", "NODATA", "REFUSED", "Drop", "Truncate", "addresses"),
      mode,
      circumstances,
      fault,
      ttl: fc.constantFrom({ min: "5s" }, { max: "10s" }, { min: "20s", max: "1m" }, { max: "3s" }),
      rateLimit: fc.record(
        {
          queries: fc.constantFrom(1, 100),
          per: fc.constantFrom("100ms", "1m"),
          burst: fc.constant(7),
          by: fc.constantFrom("Client", "Tenant"),
        },
        { requiredKeys: ["queries"] },
      ),
      rewrite: fc.record({ suffix: fc.nat(2), to: fc.constantFrom("a.com", "new.b", ".") }),
      byClient: fc.boolean(),
      own: fc.constantFrom("A 192.0.2.1", "CNAME a.com", "CNAME b.c"),
    },
    {
      requiredKeys: ["match", "action", "circumstances", "fault", "own", "ttl", "rateLimit", "rewrite", "byClient"],
    },
  )
  .map(({ code, match: named, circumstances: further, fault: disturbed, ...one }) => {
    const { own, ttl, rateLimit, rewrite, byClient, ...rest } = one;
    const { action } = rest;
    const { percent, ...others } = further as { percent?: number; transports?: unknown };
    const broken = action === "Fault" ? { fault: disturbed } : {};
    if (action === "Fault" && disturbed.code === "Truncate") others.transports = undefined;
    const match = {
      ...named,
      ...(action === "Strip" && !("types" in named && named.types) ? { types: ["AAAA", "HTTPS"] } : {}),
      ...others,
      ...(percent !== undefined && !["Pass", "Ttl", "Strip", "Decide"].includes(action) ? { percent } : {}),
    };
    const denies = action === "Deny" || action === "RateLimit" || action === "Decide";
    const fits = denies && code !== undefined && !("types" in match && match.types && code === "NXDOMAIN");
    return {
      ...rest,
      match,
      ...(action === "Mirror" ? { mirror: { upstream: "u1" } } : {}),
      ...(action === "Route" ? { route: { upstream: "u1" } } : {}),
      ...broken,
      ...(action === "Ttl" ? { ttl } : {}),
      ...(action === "RateLimit" ? { rateLimit } : {}),
      ...(action === "Rewrite"
        ? { rewrite: { to: rewrite.to, ...suffixOf("names" in match ? match.names : undefined, rewrite.suffix) } }
        : {}),
      ...(action === "Decide" ? { decide: { by: "oracle", byClient } } : {}),
      ...(action === "Answer" ? { answer: { records: [own] } } : {}),
      ...(fits ? { response: code === "addresses" ? { addresses: ADDRESSES.slice(-12, -7) } : { code } } : {}),
    };
  });

/** The last labels of the names that a rule speaks of, where they all have them. */
function suffixOf(names: readonly string[] = ["*"], count: number): { readonly from?: string } {
  const bases = names.map((text) =>
    text
      .replace(/^\*\.?/, "")
      .split(".")
      .filter(Boolean),
  );
  const suffixes = new Set(bases.map((base) => base.slice(base.length - count).join(".")));
  const [suffix = ""] = suffixes;
  return count > 0 && suffixes.size === 1 && bases.every((base) => base.length >= count) ? { from: suffix } : {};
}

/** What it takes to meet one is the filter's to know, and the test's of that. */
const responseRule = fc.record(
  {
    match: fc.constantFrom(
      { types: ["TXT"] },
      { addresses: ["10.0.0.0/8"] },
      { targets: ["*.com"], ttl: { max: "5s" } },
    ),
    action: fc.constantFrom("Accept", "Deny", "Pass"),
    mode,
  },
  { requiredKeys: ["match", "action"] },
);

const NAMESPACES = ["web", "data", "ops"];
const APPS = ["front", "back"];

const podLabels = fc.oneof(
  fc.record({ matchLabels: fc.record({ app: fc.constantFrom(...APPS) }) }),
  fc.record({
    matchExpressions: fc.array(
      fc.constantFrom(
        { key: "app", operator: "NotIn", values: ["front"] },
        { key: "app", operator: "In", values: APPS },
        { key: "tier", operator: "Exists" },
        { key: "tier", operator: "DoesNotExist" },
      ),
      { minLength: 1, maxLength: 2 },
    ),
  }),
);

const pods = fc.record({
  namespace: fc.constantFrom(...NAMESPACES),
  labels: fc.record({ app: fc.constantFrom(...APPS, "other"), tier: fc.constant("1") }, { requiredKeys: [] }),
});

const addressed = fc
  .record(
    { principals: some(PRINCIPALS), cidrs: some(CIDRS, 4), serverNames: some(SERVER_NAMES, 1), paths: some(PATHS, 1) },
    { requiredKeys: [] },
  )
  .filter((one) => Object.keys(one).length > 0)
  .map((one) => (one.principals || one.cidrs ? one : { ...one, unauthenticated: true }));

const entry = fc.oneof(
  { weight: 4, arbitrary: addressed },
  {
    weight: 1,
    arbitrary: fc.record(
      { namespaces: some(NAMESPACES, 1), podLabels, paths: some(PATHS, 1) },
      { requiredKeys: ["namespaces"] },
    ),
  },
);

const tenantSpec = fc
  .record(
    {
      match: fc.array(entry, { minLength: 1, maxLength: 2 }),
      requires: fc.constant("principal"),
      upstream: fc.constantFrom(...UPSTREAMS),
      forward: fc
        .uniqueArray(name, { maxLength: 3 })
        .map((zones) => zones.map((zone, index) => ({ zones: [zone], upstream: UPSTREAMS[index % 2] }))),
      cache: fc.constantFrom("Own", "Shared"),
      isolation: fc.constantFrom({}, { discover: "All" }, { discover: "None" }),
      guards: fc.constantFrom(
        { rebinding: "Deny" },
        { rebinding: { mode: "Audit", except: ["*.com"] } },
        { exfiltration: "Limit" },
        { exfiltration: { mode: "Audit", octets: 600 } },
        { nxdomain: "Limit" },
        { nxdomain: { mode: "Limit", answers: 5, per: "1s", by: "Tenant" }, exfiltration: "Audit" },
        { nxdomain: "Audit", exfiltration: "Audit" },
        {},
      ),
      limits: fc.record(
        {
          queries: fc.record({ rate: fc.nat(9).map((rate) => rate + 1), per: fc.constant("5s") }),
          uniqueNames: fc.constantFrom(1, 50),
          pending: fc.constant(7),
        },
        { requiredKeys: ["pending"] },
      ),
    },
    { requiredKeys: ["match"] },
  )
  .map(({ requires, ...spec }) =>
    requires && spec.match.some((one) => "principals" in one && one.principals) ? { ...spec, requires } : spec,
  );

const listSpec = fc.record(
  { inline: fc.array(pattern, { minLength: 1, maxLength: 12 }), subdomains: fc.boolean() },
  { requiredKeys: ["inline"] },
);

const who = fc.oneof(
  { weight: 3, arbitrary: fc.record({ principals: some(PRINCIPALS), cidrs: some(CIDRS, 3) }, { requiredKeys: [] }) },
  {
    weight: 1,
    arbitrary: fc.record(
      { cidrs: some(CIDRS, 3), namespaces: some(NAMESPACES, 2), workloads: podLabels },
      { requiredKeys: ["workloads"] },
    ),
  },
);

const policySpec = fc.record({
  narrowed: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: who }),
  except: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.tuple(who, fc.option(some(TENANTS), { nil: undefined })) },
  ),
  mode: fc.constantFrom("Enforce", "Enforce", "Enforce", "Audit", "Disabled"),
  tier: fc.constantFrom<TierName>("Admin", "Tenant", "Baseline"),
  subject: fc.uniqueArray(fc.nat(TENANTS.length - 1), { minLength: 1 }),
  rules: fc.array(rule, { minLength: 1, maxLength: 5 }),
  responseRules: fc.array(responseRule, { maxLength: 3 }),
});

/** A set as YAML; not always a valid one. */
export const policySet: fc.Arbitrary<string> = fc
  .record({
    tenants: fc.array(tenantSpec, { minLength: 1, maxLength: TENANTS.length }),
    policies: fc.array(policySpec, { maxLength: 5 }),
    lists: fc.tuple(...LISTS.map(() => listSpec)),
  })
  .map(({ tenants, policies, lists }) =>
    documents(
      settings({ decisionPoints: [{ name: "oracle", url: "http://127.0.0.1/" }] }),
      ...UPSTREAMS.map((one, index) => upstream(one, { ecs: index === 1 })),
      ...lists.map((spec, index) => nameList(`l${index}`, spec)),
      ...tenants.map((spec, index) => tenant(`t${index}`, spec)),
      ...policies.map(({ tier, mode, subject, narrowed, except, rules, responseRules }, index) =>
        tierPolicy(`p${index}`, tier, {
          priority: (index * 7) % 5,
          mode,
          subject: { tenants: tenantsOf(tier, subject, tenants.length), ...narrowed },
          except: exceptOf(tier, except, tenants.length),
          responseRules: responseRules.map((one, position) => ({ name: `a${position}`, ...one })),
          // A tenant's own policy may not route to just any upstream.
          rules: rules
            .map((one, position) => ({ name: `r${position}`, ...one }))
            .map((one) =>
              tier === "Tenant" && (one.action === "Route" || one.action === "Mirror")
                ? { ...one, action: "Accept", route: undefined, mirror: undefined }
                : one,
            ),
        }),
      ),
    ),
  );

type Except = readonly [who: object, tenants: readonly string[] | undefined];

function exceptOf(tier: TierName, except: Except | undefined, count: number): object | undefined {
  if (except === undefined) return undefined;
  const [named, tenants] = except;
  const known = tier === "Tenant" ? undefined : tenants?.filter((name) => Number(name.slice(1)) < count);
  const whole = { ...named, ...(known !== undefined && known.length > 0 ? { tenants: known } : {}) };
  return Object.keys(whole).length > 0 ? whole : undefined;
}

/** Undefined: all of them. */
function tenantsOf(tier: TierName, subject: readonly number[], count: number): string[] | undefined {
  const named = [...new Set(subject.map((number) => `t${number % count}`))];
  if (tier === "Tenant") return named.slice(0, 1);
  return subject.length === TENANTS.length ? undefined : named;
}

export const request: fc.Arbitrary<PlainRequest> = fc.record(
  {
    address: fc.constantFrom(...ADDRESSES),
    principal: fc.constantFrom(...IDS),
    serverName: fc.constantFrom("one.example", "TWO.example.", "three.example"),
    path: fc.constantFrom("/one", "/two", "/three"),
    pod: pods,
    labels: fc.array(fc.constantFrom(...LABELS, ...U_LABELS, "zz"), { maxLength: 5 }),
    qtype: fc.constantFrom(...TYPES, 99),
    transport: fc.nat(4),
    time,
  },
  { requiredKeys: ["address", "labels", "qtype", "transport", "time"] },
);
