/**
 * Random policy sets and questions out of few names, blocks and principals, so that they meet often.
 */
import fc from "fast-check";
import { documents, type TierName, tenant, tierPolicy, upstream } from "../compile/compile-text.ts";
import type { PlainRequest } from "./reference.ts";

export const LABELS = ["a", "b", "c", "com", "x-y", "_dns"];
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

const labels = fc.array(fc.constantFrom(...LABELS), { maxLength: 4 });
const name = labels.map((parts) => (parts.length === 0 ? "." : parts.join(".")));
const pattern = fc.oneof(
  { weight: 4, arbitrary: name },
  { weight: 4, arbitrary: name.map((base) => (base === "." ? "*" : `*.${base}`)) },
  { weight: 1, arbitrary: fc.constant("*") },
);

function some<T>(values: readonly T[], maxLength = 2): fc.Arbitrary<T[]> {
  return fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength });
}

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
      ),
      action: fc.constantFrom("Accept", "Deny", "Deny", "Pass"),
      code: fc.constantFrom("NXDOMAIN", "NODATA", "REFUSED"),
      mode,
    },
    { requiredKeys: ["match", "action"] },
  )
  .map(({ code, ...rest }) => {
    const { match, action } = rest;
    const fits = action === "Deny" && code !== undefined && !("types" in match && match.types && code === "NXDOMAIN");
    return { ...rest, ...(fits ? { response: { code } } : {}) };
  });

const entry = fc
  .record(
    { principals: some(PRINCIPALS), cidrs: some(CIDRS, 4), serverNames: some(SERVER_NAMES, 1), paths: some(PATHS, 1) },
    { requiredKeys: [] },
  )
  .filter((one) => Object.keys(one).length > 0)
  .map((one) => (one.principals || one.cidrs ? one : { ...one, unauthenticated: true }));

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
    },
    { requiredKeys: ["match"] },
  )
  .map(({ requires, ...spec }) =>
    requires && spec.match.some((one) => one.principals) ? { ...spec, requires } : spec,
  );

const policySpec = fc.record({
  mode: fc.constantFrom("Enforce", "Enforce", "Enforce", "Audit", "Disabled"),
  tier: fc.constantFrom<TierName>("Admin", "Tenant", "Baseline"),
  subject: fc.uniqueArray(fc.nat(TENANTS.length - 1), { minLength: 1 }),
  rules: fc.array(rule, { minLength: 1, maxLength: 5 }),
});

/** A set as YAML; not always a valid one. */
export const policySet: fc.Arbitrary<string> = fc
  .record({
    tenants: fc.array(tenantSpec, { minLength: 1, maxLength: TENANTS.length }),
    policies: fc.array(policySpec, { maxLength: 5 }),
  })
  .map(({ tenants, policies }) =>
    documents(
      ...UPSTREAMS.map((one, index) => upstream(one, { ecs: index === 1 })),
      ...tenants.map((spec, index) => tenant(`t${index}`, spec)),
      ...policies.map(({ tier, mode, subject, rules }, index) =>
        tierPolicy(`p${index}`, tier, {
          priority: (index * 7) % 5,
          mode,
          subject: { tenants: tenantsOf(tier, subject, tenants.length) },
          rules: rules.map((one, position) => ({ name: `r${position}`, ...one })),
        }),
      ),
    ),
  );

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
    labels: fc.array(fc.constantFrom(...LABELS, "zz"), { maxLength: 5 }),
    qtype: fc.constantFrom(...TYPES, 99),
  },
  { requiredKeys: ["address", "labels", "qtype"] },
);
