/** Upstreams' answers held against response rules, in the filter and plainly: the same comes of it. */
import assert from "node:assert/strict";
import type packet from "dns-packet";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { parseResources } from "../../../extproc/resources/parse.ts";
import { parseRecord } from "../../../extproc/resources/record.ts";
import { ask, documents, snapshotOf, tenant, tierPolicy, upstream } from "../../extproc/compile/compile-text.ts";
import { encode as encodeVerdict } from "../verdict/lab.ts";
import { judgeAnswerPlainly, type PlainRecord } from "./judge-plainly.ts";
import { AnswerLab, encode, TYPES } from "./lab.ts";

const NAMES = ["www.example.org", "a.b.example.org", "example.org"];
const TARGETS = ["t.example.net", "x.t.example.net", "example.net", "other.test"];
const ADDRESSES = [
  "10.0.0.1",
  "10.255.255.255",
  "11.0.0.0",
  "192.0.2.1",
  "127.0.0.1",
  "0.0.0.1",
  "::",
  "::1",
  "::a00:1",
  "::ffff:10.0.0.1",
  "::ffff:192.0.2.1",
  "64:ff9b::10.0.0.1",
  "64:ff9b:1::a00:1",
  "64:ff9b:2::a00:1",
  "2002:a00:1::5",
  "2002:c000:201::a00:1",
  "fd00::1",
  "fe80::a00:1",
  "2001:db8::a00:1",
];
const BLOCKS = [
  "10.0.0.0/8",
  "10.0.0.1/32",
  "0.0.0.0/0",
  "192.0.2.0/25",
  "fc00::/7",
  "::/0",
  "::1/128",
  "2001:db8::/33",
];
const PATTERNS = ["*", "*.example.org", "www.example.org", "*.example.net", "t.example.net", "*.t.example.net", "."];

const some = (values: readonly string[]) => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });

const fields = {
  names: some(PATTERNS),
  addresses: some(BLOCKS),
  targets: some(PATTERNS),
  types: some(["A", "AAAA", "CNAME", "MX", "HTTPS"]),
  ttl: fc.constantFrom({ max: "5s" }, { min: "10s" }, { min: "4s", max: "1m" }),
};

const severalFields = fc.record(fields, { requiredKeys: [] }).filter((match) => Object.keys(match).length > 0);

const rule = fc.record(
  {
    match: fc.oneof(...Object.entries(fields).map(([field, value]) => fc.record({ [field]: value })), severalFields),
    action: fc.constantFrom("Accept", "Deny", "Deny", "Pass"),
    mode: fc.constantFrom("Enforce", "Enforce", "Enforce", "Audit", "Disabled"),
  },
  { requiredKeys: ["match", "action"] },
);

const policy = fc.record({
  tier: fc.constantFrom("Admin" as const, "Tenant" as const, "Baseline" as const),
  mode: fc.constantFrom("Enforce", "Enforce", "Enforce", "Audit", "Disabled"),
  rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
});

const ttl = fc.constantFrom(0, 4, 5, 6, 60, 300);
const isV4 = (text: string) => ipaddr.parse(text).kind() === "ipv4";
const address = fc.constantFrom(...ADDRESSES);
const target = fc.constantFrom(...TARGETS, "T.EXAMPLE.net");

/** A record of the name that is asked for, by dns-packet and plainly; `type` is the one that is asked for. */
const answers = {
  A: fc.tuple(fc.constantFrom(...ADDRESSES.filter(isV4)), ttl).map(([data, ttl]) => made("A", data, ttl, [data])),
  AAAA: fc
    .tuple(fc.constantFrom(...ADDRESSES.filter((one) => !isV4(one))), ttl)
    .map(([data, ttl]) => made("AAAA", data, ttl, [data])),
  MX: fc.tuple(target, ttl).map(([exchange, ttl]) => made("MX", { preference: 10, exchange }, ttl, [], exchange)),
  SRV: fc
    .tuple(target, ttl)
    .map(([target, ttl]) => made("SRV", { priority: 1, weight: 1, port: 443, target }, ttl, [], target)),
  HTTPS: fc.tuple(fc.constantFrom(".", ...TARGETS), fc.array(address, { maxLength: 3 }), ttl).map(service),
};

interface Made {
  readonly wire: packet.Answer;
  readonly plain: PlainRecord;
}

function made(type: string, data: unknown, ttl: number, addresses: string[], target?: string): Made {
  const wire = { name: "", type: type === "HTTPS" ? "UNKNOWN_65" : type, ttl, data } as packet.Answer;
  const plain = { type: TYPES[type] ?? 0, ttl, addresses };
  return { wire, plain: target === undefined ? plain : { ...plain, target } };
}

function service([target, addresses, ttl]: [string, string[], number]): Made {
  const hint = (key: string, ofKind: string[]) => (ofKind.length === 0 ? "" : ` ${key}=${ofKind.join(",")}`);
  const v4 = addresses.filter(isV4);
  const v6 = addresses.filter((one) => !isV4(one));
  const text = `HTTPS 1 ${target} alpn=h2${hint("ipv4hint", v4)}${hint("ipv6hint", v6)}`;
  const record = parseRecord(text);
  assert.ok(typeof record !== "string", `${text}: expected ${record}`);
  return made("HTTPS", Buffer.from(record.data), ttl, addresses, target === "." ? undefined : target);
}

const kinds = Object.keys(answers) as (keyof typeof answers)[];

const answer = fc.constantFrom(...kinds).chain((type) =>
  fc.record({
    type: fc.constant(type),
    name: fc.constantFrom(...NAMES),
    records: fc.array(answers[type] as fc.Arbitrary<Made>, { maxLength: 4 }),
    alias: fc.option(fc.tuple(target, ttl), { nil: undefined }),
  }),
);

describe("answers by response rules", () => {
  let lab: AnswerLab;
  before(async () => {
    lab = await AnswerLab.open();
  });

  const judge = (text: string, name: string, type: string, records: readonly packet.Answer[]) => {
    const snapshot = snapshotOf(text);
    lab.ask(name, type);
    const asked = type === "HTTPS" ? "UNKNOWN_65" : type;
    lab.read(encode({ name, type: asked, answers: [...records] }));
    const verdict = encodeVerdict(ask(snapshot, { from: "10.0.0.1", name, qtype: TYPES[type] ?? 0 }));
    assert.equal(lab.room.call("judge", lab.room.put(verdict)), 1, "expected a verdict");
    const by = (which: number) => lab.room.output(lab.room.call("judgedBy", which)).toString();
    return { denial: by(0), audit: by(1) };
  };

  it("are denied as they plainly are", () => {
    let denied = 0;
    const property = fc.property(fc.array(policy, { minLength: 1, maxLength: 3 }), answer, (policies, said) => {
      const text = documents(
        upstream("u"),
        tenant("t", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "u" }),
        ...policies.map(({ tier, mode, rules }, number) =>
          tierPolicy(`p${number}`, tier, {
            priority: number,
            mode,
            subject: { tenants: ["t"] },
            responseRules: rules.map((one, index) => ({ name: `r${number}-${index}`, ...one })),
          }),
        ),
      );
      const { type, name, alias } = said;
      const end = alias?.[0] ?? name;
      const records = said.records.map(({ wire }) => ({ ...wire, name: end }));
      const cname = alias && { name, type: "CNAME" as const, ttl: alias[1], data: end };
      const plain = said.records.map((one) => one.plain);
      if (alias) plain.unshift({ type: 5, ttl: alias[1], addresses: [], target: end });
      const set = parseResources(text, "set").resources.map(({ resource }) => resource);
      const known = set.filter((one) => one.kind === "DnsPolicy" || one.kind === "ClusterDnsPolicy");
      const expected = judgeAnswerPlainly(known, name, plain);
      assert.deepEqual(judge(text, name, type, cname ? [cname, ...records] : records), expected);
      if (expected.denial !== "") denied++;
    });
    fc.assert(property, { numRuns: 600, seed: 9 });
    assert.ok(denied > 100, `expected more than 100 denials, got ${denied}`);
  });

  it("are read without a fault where hints are cut short", () => {
    const rules = [{ name: "r", match: { addresses: ["10.0.0.0/8"] }, action: "Deny" }];
    const text = documents(
      upstream("u"),
      tenant("t", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "u" }),
      tierPolicy("p", "Admin", { priority: 1, subject: {}, responseRules: rules }),
    );
    // Priority, target, and an ipv4hint that says 8 octets where there are 5.
    const whole = Buffer.from([0, 1, 0, 0, 4, 0, 8, 10, 0, 0, 1, 10]);
    for (let size = 3; size <= whole.length; size++) {
      const record = { name: "www.example.org", type: "UNKNOWN_65", ttl: 60, data: whole.subarray(0, size) };
      assert.equal(judge(text, "www.example.org", "HTTPS", [record as unknown as packet.Answer]).denial, "");
    }
  });
});
