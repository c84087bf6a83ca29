import assert from "node:assert/strict";
import { fnv1a } from "../../../extproc/compiled/hash.ts";
import { Extent } from "../../../extproc/compiled/messages.ts";
import { decide, MalformedRequest } from "../../../extproc/decide/decide.ts";
import {
  addressOf,
  ask,
  documents,
  policy,
  problemsOf,
  snapshotOf,
  tenant,
  tierPolicy,
  upstream,
} from "../compile/compile-text.ts";

const PRINCIPAL = "spiffe://d.example/ns/web/sa/api";

function hashOf(label: string): number {
  const octets = Buffer.from(label);
  return fnv1a(octets, 0, octets.length);
}

const everyone = [{ cidrs: ["0.0.0.0/0", "::/0"] }];

function withRules(...rules: object[]) {
  const spec = { match: everyone, upstream: "public" };
  return snapshotOf(documents(upstream("public"), tenant("t", spec), policy("p", 1, ["t"], rules)), 7);
}

describe("decide: what a denial tells", () => {
  const rules = [
    { name: "plain", match: { names: ["plain.test"] }, action: "Deny" },
    { name: "own", match: { names: ["own.test"] }, action: "Deny", response: { ede: { code: 17, text: "ask ops" } } },
    { name: "mute", match: { names: ["mute.test"] }, action: "Deny", response: { ede: { code: 16, text: "" } } },
    { name: "broken", match: { names: ["broken.test"] }, action: "Fault", fault: { code: "SERVFAIL" } },
  ];
  const told = (explain: string | undefined) => {
    const spec = { match: everyone, upstream: "public", ...(explain && { explain }) };
    const snapshot = snapshotOf(documents(upstream("public"), tenant("t", spec), policy("p", 1, ["t"], rules)));
    return ["plain", "own", "mute", "broken"].map((label) => {
      const verdict = ask(snapshot, { name: `${label}.test` });
      assert.deepEqual([verdict.policy, verdict.rule], ["p", label]);
      assert.equal(verdict.client.unexplained, explain === "None");
      if ("fault" in verdict) return verdict.fault.ede_text;
      return "deny" in verdict ? `${verdict.deny.ede_code} ${verdict.deny.ede_text}` : "";
    });
  };

  it("is as much as its tenant lets it", () => {
    const all = ["15 t/p/plain", "17 ask ops", "16 ", "t/p/broken"];
    assert.deepEqual(told(undefined), all);
    assert.deepEqual(told("Full"), all);
    assert.deepEqual(told("Rule"), ["15 plain", "17 ask ops", "16 ", "broken"]);
    assert.deepEqual(told("Code"), ["15 ", "17 ", "16 ", ""]);
    assert.deepEqual(told("None"), ["15 ", "17 ", "16 ", ""]);
  });
});

describe("decide: regular expressions", () => {
  const denies = (nameRegex: readonly string[], name: string, match: object = {}) =>
    ask(withRules({ name: "r", match: { nameRegex, ...match }, action: "Deny" }), { name }).rule === "r";

  it("speak of the whole name, whatever its case", () => {
    assert.ok(denies(["ads?[0-9]*\\..*"], "ADS7.Example.com"));
    assert.ok(denies(["none", "(.*\\.)?example\\.com"], "example.com"));
    assert.ok(!denies(["example\\.com"], "www.example.com"));
    assert.ok(!denies(["example\\.com"], "example.com.attacker.test"));
    assert.ok(denies(["WWW\\..*"], "www.example.com"));
    assert.ok(denies(["\\."], "."));
    // A dot inside of a label is no dot between two.
    assert.ok(!denies(["a\\.b"], "a\\.b"));
    assert.ok(denies(["a\\\\\\.b"], "a\\.b"));
  });

  it("and names and types have to fit both, and only what was matched is told of one name alone", () => {
    const rules = [{ name: "r", match: { names: ["*.com"], types: ["A"], nameRegex: ["ad.*"] }, action: "Deny" }];
    const snapshot = withRules(...rules);
    const { EXACT, BELOW } = Extent;
    const asked = (name: string, qtype = 1) => {
      const { rule, scope } = ask(snapshot, { name, qtype });
      return [rule, scope.labels, scope.extent, scope.types];
    };
    assert.deepEqual(asked("ad.com"), ["r", 2, EXACT, [1]]);
    assert.deepEqual(asked("x.com"), ["", 2, EXACT, []]);
    assert.deepEqual(asked("x.com", 16), ["", 1, BELOW, [1]]);
    assert.deepEqual(asked("ad.org"), ["", 0, BELOW, []]);
  });

  it("are bounded, and those of RE2", () => {
    const problem = (nameRegex: unknown) =>
      problemsOf(
        documents(
          upstream("u"),
          tenant("t", { match: everyone, upstream: "u" }),
          policy("p", 1, ["t"], [{ name: "r", match: { nameRegex }, action: "Deny" }]),
        ),
      ).join("\n");
    assert.equal(problem(["a".repeat(255)]), "");
    assert.match(problem(["a".repeat(256)]), /at most 255 characters/);
    assert.match(problem(["(a{100}){20}"]), /at most 1000 instructions, of which this has \d+|invalid repeat/);
    assert.match(problem(["(?=a)b"]), /regular expression of RE2 \(invalid or unsupported Perl syntax/);
    assert.match(problem(["(a"]), /missing closing \)/);
    assert.match(problem(Array.from({ length: 17 }, (_, index) => `a${index}`)), /16/);
  });
});

describe("decide: names and rules", () => {
  it("denies *.com and holds for everything below com", () => {
    const rules = [{ name: "deny-com", match: { names: ["*.com"] }, action: "Deny" }];
    const snapshot = withRules(...rules);
    const verdict = ask(snapshot, { name: "WWW.Example.COM" });
    assert.deepEqual(verdict, {
      revision: 7,
      client: {
        subject: 3,
        tenant: "t",
        prefix: 0,
        log_all: false,
        unexplained: false,
        sample: 0,
        current_only: false,
        trace_context: false,
      },
      scope: {
        labels: 1,
        extent: Extent.BELOW,
        except: [],
        types: [],
        types_excluded: false,
        transports: 0,
        lifetime_ms: 0,
      },
      deny: { rcode: 3, ede_code: 15, ede_text: "t/p/deny-com", ttl: 30, soa_labels: 1, form: 0, records: [] },
      policy: "p",
      rule: "deny-com",
      audits: [],
      delays: [],
      ttl_min: 0,
      ttl_max: 0,
      strip: false,
      alternatives: [],
    });
    assert.ok("forward" in ask(snapshot, { name: "com" }));
    assert.equal(ask(snapshot, { name: "com" }).scope.extent, Extent.EXACT);
  });

  it("lets one verdict hold for all that no rule speaks of", () => {
    const snapshot = withRules({ name: "r", match: { names: ["*.com"] }, action: "Deny" });
    const { scope } = ask(snapshot, { name: "a.example.org" });
    assert.deepEqual([scope.labels, scope.extent, scope.except], [0, Extent.BELOW, [hashOf("com")]]);
  });

  it("names the next label where a node has more children than a scope can except", () => {
    const names = Array.from({ length: 65 }, (_, index) => `n${index}.example`);
    const snapshot = withRules({ name: "r", match: { names }, action: "Deny" });
    const { scope } = ask(snapshot, { name: "a.b.example" });
    assert.deepEqual([scope.labels, scope.extent, scope.except], [2, Extent.AT_OR_BELOW, []]);
    const fewer = withRules({ name: "r", match: { names: names.slice(1) }, action: "Deny" });
    assert.equal(ask(fewer, { name: "a.b.example" }).scope.except.length, 64);
  });

  it("keeps a question in its scope whose label hashes like another", () => {
    // FNV-1a collides for these two.
    const [one, other] = ["costarring", "liquid"];
    assert.equal(hashOf(one), hashOf(other));
    const snapshot = withRules({ name: "r", match: { names: [`${one}.example`] }, action: "Deny" });
    const { scope } = ask(snapshot, { name: `${other}.example` });
    assert.deepEqual([scope.labels, scope.extent, scope.except], [2, Extent.AT_OR_BELOW, []]);
  });

  it("takes the first rule that matches, and the policy of lower priority first", () => {
    const spec = { match: everyone, upstream: "public" };
    const snapshot = snapshotOf(
      documents(
        upstream("public"),
        tenant("t", spec),
        policy("later", 20, ["t"], [{ name: "deny", match: { names: ["*"] }, action: "Deny" }]),
        policy(
          "first",
          10,
          ["t"],
          [
            { name: "no", match: { names: ["bad.example"] }, action: "Deny", response: { code: "REFUSED", ttl: "9s" } },
            { name: "yes", match: { names: ["*.example"] }, action: "Accept" },
            { name: "pass", match: { names: ["*.org"] }, action: "Pass" },
          ],
        ),
      ),
    );
    const rules = ["bad.example", "good.example", "a.org", "a.net"].map((name) => ask(snapshot, { name }).rule);
    assert.deepEqual(rules, ["no", "yes", "", "deny"]);
    const refused = ask(snapshot, { name: "bad.example" });
    assert.ok("deny" in refused && refused.deny.rcode === 5 && refused.deny.ttl === 0);
    assert.ok("forward" in ask(snapshot, { name: "a.org" }), "what passes the only tier is forwarded");
  });

  it("denies types with NODATA, and says for which types a verdict holds", () => {
    const snapshot = withRules({
      name: "no-v6",
      match: { names: ["*.example"], types: ["AAAA", "A"] },
      action: "Deny",
    });
    const denied = ask(snapshot, { name: "a.example", qtype: 28 });
    assert.ok("deny" in denied && denied.deny.rcode === 0);
    assert.deepEqual([denied.scope.types, denied.scope.types_excluded], [[1, 28], false]);
    const { scope } = ask(snapshot, { name: "a.example", qtype: 16 });
    assert.deepEqual([scope.types, scope.types_excluded], [[1, 28], true]);
    assert.deepEqual(ask(snapshot, { name: "a.org", qtype: 28 }).scope.types, []);
  });

  it("puts the SOA of a denial above the name", () => {
    const deny = (name: string, names: string[]) => {
      const verdict = ask(withRules({ name: "r", match: { names }, action: "Deny" }), { name });
      return "deny" in verdict ? verdict.deny.soa_labels : undefined;
    };
    assert.equal(deny("a.b.example.com", ["*.com", "*.b.example.com"]), 3);
    assert.equal(deny("www.example.com", ["www.example.com"]), 2);
    assert.equal(deny("com", ["com"]), 0);
    assert.equal(deny(".", ["."]), 0);
    assert.equal(deny("a.example", ["*"]), 0);
  });

  it("says what the policy says in a denial", () => {
    const response = { code: "NODATA", ede: { code: 4, text: "because" }, ttl: "5m" };
    const verdict = ask(withRules({ name: "r", match: { names: ["*"] }, action: "Deny", response }), {});
    assert.deepEqual("deny" in verdict && verdict.deny, {
      rcode: 0,
      ede_code: 4,
      ede_text: "because",
      ttl: 300,
      soa_labels: 0,
      form: 0,
      records: [],
    });
  });

  it("judges names whatever their octets", () => {
    const snapshot = withRules({ name: "r", match: { names: ["a\\.b.example", "\\000.example"] }, action: "Deny" });
    assert.ok("deny" in ask(snapshot, { name: "a\\.b.example" }));
    assert.ok("deny" in ask(snapshot, { name: "\\000.example" }));
    assert.ok("forward" in ask(snapshot, { name: "a.b.example" }));
  });

  it("refuses what no worker sends", () => {
    const snapshot = withRules({ name: "r", match: { names: ["*"] }, action: "Deny" });
    const request = { address: addressOf("10.0.0.1"), listener: "l", transport: 0, qtype: 1, time: 0 } as const;
    const names = [[], [1], [1, 97], [0, 0], [64, 0], [192, 12], Array(256).fill(0), [1, 97, 0, 0]];
    for (const name of names) {
      assert.throws(() => decide(snapshot, { ...request, qname: Uint8Array.from(name) }), MalformedRequest);
    }
    const address = new Uint8Array(5);
    assert.throws(() => decide(snapshot, { ...request, address, qname: Uint8Array.of(0) }), MalformedRequest);
  });
});

describe("decide: how a denial looks", () => {
  const denied = (response: object, match: object = { names: ["*"] }) => {
    const verdict = ask(withRules({ name: "r", match, action: "Deny", response }), { name: "x.com" });
    assert.ok("deny" in verdict);
    const { rcode, form, ttl, ede_code, records } = verdict.deny;
    return [rcode, form, ttl, ede_code, records.map(({ type, data }) => `${type} ${data}`).join(", ")];
  };

  it("is NXDOMAIN, NODATA or REFUSED, or nothing, or a truncated message, or addresses", () => {
    assert.deepEqual(denied({}), [3, 0, 30, 15, ""]);
    assert.deepEqual(denied({ code: "NODATA", ttl: "5s" }), [0, 0, 5, 15, ""]);
    assert.deepEqual(denied({ code: "REFUSED" }), [5, 0, 0, 15, ""]);
    assert.deepEqual(denied({ code: "Drop" }), [3, 1, 30, 15, ""]);
    assert.deepEqual(denied({ code: "Truncate", ede: "Filtered" }), [3, 2, 30, 17, ""]);
    assert.deepEqual(denied({ code: "Truncate" }, { names: ["*"], types: ["A"] }), [0, 2, 30, 15, ""]);
    const records = "1 wAACAQ==, 28 IAENuAAAAAAAAAAAAAAAAQ==, 1 wAACAg==";
    const addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2"];
    assert.deepEqual(denied({ addresses, ttl: "1m" }), [0, 3, 60, 4, records]);
    assert.equal(denied({ addresses, ede: "Blocked" })[3], 15);
  });
});

describe("decide: tiers", () => {
  const t = tenant("t", { match: everyone, upstream: "public" });
  const set = (...policies: object[]) => snapshotOf(documents(upstream("public"), t, ...policies));
  const rule = (name: string, action: string, ...names: string[]) => ({ name, action, match: { names } });
  const decided = (snapshot: ReturnType<typeof set>, name: string) => {
    const verdict = ask(snapshot, { name });
    return `${"deny" in verdict ? "deny" : "forward"} ${verdict.policy}/${verdict.rule}`;
  };

  it("are asked in order: a tenant lifts nothing that an admin denied, and the baseline is asked last", () => {
    const snapshot = set(
      tierPolicy("first", "Admin", {
        priority: 9,
        subject: { tenants: ["t"] },
        rules: [rule("deny", "Deny", "*.com"), rule("own", "Pass", "*.org"), rule("late", "Deny", "*.org")],
      }),
      tierPolicy("own", "Tenant", {
        priority: 1,
        subject: { tenants: ["t"] },
        rules: [rule("ok", "Accept", "*.com", "a.org"), rule("up", "Pass", "b.org")],
      }),
      tierPolicy("last", "Baseline", { priority: 0, subject: {}, rules: [rule("deny", "Deny", "*")] }),
    );
    assert.equal(decided(snapshot, "x.com"), "deny first/deny");
    assert.equal(decided(snapshot, "a.org"), "forward own/ok");
    assert.equal(decided(snapshot, "b.org"), "deny last/deny");
    assert.equal(decided(snapshot, "c.net"), "deny last/deny");
  });

  it("leave the rest of a tier after a Pass, the policies after it too", () => {
    const of = (name: string, priority: number, ...rules: object[]) =>
      tierPolicy(name, "Admin", { priority, subject: {}, rules });
    const snapshot = set(of("a", 1, rule("pass", "Pass", "*.com")), of("b", 2, rule("deny", "Deny", "*")));
    assert.equal(decided(snapshot, "x.com"), "forward /");
    assert.equal(decided(snapshot, "x.org"), "deny b/deny");
  });
});

describe("decide: modes", () => {
  const audits = (verdict: ReturnType<typeof ask>) =>
    verdict.audits.map((one) => `${one.policy}/${one.rule} ${one.action}`);

  it("go on past a rule on trial, and tell the first of a policy that would have ended it", () => {
    const snapshot = withRules(
      { name: "a", mode: "Audit", match: { names: ["*.com"] }, action: "Deny" },
      { name: "b", mode: "Audit", match: { names: ["x.com"] }, action: "Accept" },
      { name: "c", mode: "Disabled", match: { names: ["*"] }, action: "Deny" },
      { name: "d", match: { names: ["x.com"] }, action: "Deny" },
      { name: "e", mode: "Audit", match: { names: ["*"] }, action: "Pass" },
    );
    const denied = ask(snapshot, { name: "x.com" });
    assert.ok("deny" in denied && denied.rule === "d");
    assert.deepEqual(audits(denied), ["p/a 1"]);
    const passed = ask(snapshot, { name: "y.com" });
    assert.ok("forward" in passed && passed.rule === "");
    assert.deepEqual(audits(passed), ["p/a 1"]);
    assert.deepEqual(audits(ask(snapshot, { name: "y.org" })), ["p/e 2"]);
  });

  it("take a policy on trial as one: what it would have accepted, it would not have denied", () => {
    const trial = (mode: string) =>
      documents(
        upstream("public"),
        tenant("t", { match: everyone, upstream: "public" }),
        tierPolicy("q", "Admin", {
          priority: 1,
          mode,
          subject: {},
          rules: [
            { name: "ok", match: { names: ["ok.com"] }, action: "Accept" },
            { name: "no", match: { names: ["*.com"] }, action: "Deny" },
          ],
        }),
        policy("p", 1, ["t"], [{ name: "no", match: { names: ["ok.com"] }, action: "Deny" }]),
      );
    const snapshot = snapshotOf(trial("Audit"));
    assert.deepEqual(audits(ask(snapshot, { name: "ok.com" })), ["q/ok 0"]);
    assert.equal(ask(snapshot, { name: "ok.com" }).policy, "p");
    assert.deepEqual(audits(ask(snapshot, { name: "x.com" })), ["q/no 1"]);
    const asleep = ask(snapshotOf(trial("Disabled")), { name: "x.com" });
    assert.deepEqual([audits(asleep), "forward" in asleep], [[], true]);
  });
});

describe("decide: circumstances", () => {
  const NOON = Date.UTC(2026, 0, 5, 12); // a Monday
  const MINUTE = 60_000;

  it("ask for a transport, and say for which a verdict holds", () => {
    const snapshot = withRules(
      { name: "dot", match: { names: ["*.com"], transports: ["DoT", "DoH"] }, action: "Accept" },
      { name: "rest", match: { names: ["*.com"] }, action: "Deny" },
    );
    const accepted = ask(snapshot, { name: "x.com", transport: 3 });
    assert.deepEqual([accepted.rule, accepted.scope.transports], ["dot", 0b01100]);
    const denied = ask(snapshot, { name: "x.com", transport: 0 });
    assert.deepEqual([denied.rule, denied.scope.transports], ["rest", 0b10011]);
    assert.equal(ask(snapshot, { name: "x.org", transport: 0 }).scope.transports, 0);
  });

  const scheduled = (schedule: object) =>
    withRules({ name: "r", match: { names: ["*.com"], schedule }, action: "Deny" });
  const at = (snapshot: ReturnType<typeof scheduled>, time: number) => {
    const verdict = ask(snapshot, { name: "x.com", time });
    assert.equal(verdict.scope.extent, Extent.BELOW, "a schedule narrows no names");
    return [verdict.rule === "r", verdict.scope.lifetime_ms / MINUTE];
  };

  it("ask for a time, and hold until it is over", () => {
    const office = scheduled({ days: ["Mon", "Tue"], between: ["08:00", "18:00"], timeZone: "UTC" });
    assert.deepEqual(at(office, NOON), [true, 360]);
    assert.deepEqual(at(office, NOON - 4 * 60 * MINUTE - 1), [false, 1 / MINUTE]);
    assert.deepEqual(at(office, NOON + 6 * 60 * MINUTE - 1), [true, 1 / MINUTE]);
    assert.deepEqual(at(office, NOON + 6 * 60 * MINUTE), [false, 14 * 60]);
    // Wednesday: nothing changes for more than a day.
    assert.deepEqual(at(office, NOON + 48 * 60 * MINUTE), [false, 24 * 60]);
    assert.equal(ask(office, { name: "x.org", time: NOON }).scope.lifetime_ms, 0);
  });

  it("take a night for the day on which it begins", () => {
    const night = scheduled({ days: ["Mon"], between: ["22:00", "06:00"] });
    assert.deepEqual(at(night, NOON), [false, 600]);
    assert.deepEqual(at(night, NOON + 15 * 60 * MINUTE), [true, 180]);
    assert.deepEqual(at(night, NOON - 11 * 60 * MINUTE), [false, 21 * 60]);
  });

  it("go by the clock on the wall, which is put forward and back", () => {
    const berlin = scheduled({ between: ["08:00", "18:00"], timeZone: "Europe/Berlin" });
    assert.deepEqual(at(berlin, NOON), [true, 300]);
    assert.deepEqual(at(berlin, Date.UTC(2026, 6, 6, 6)), [true, 600]);
    // The night in which 2:00 becomes 3:00: the verdict ends there, whatever the window.
    assert.deepEqual(at(berlin, Date.UTC(2026, 2, 29, 0)), [false, 60]);
    assert.deepEqual(at(berlin, Date.UTC(2026, 2, 29, 1)), [false, 300]);
  });

  it("leave to chance what has a percentage, and go on", () => {
    const snapshot = withRules(
      { name: "trial", mode: "Audit", match: { names: ["*.com"], percent: 50 }, action: "Deny" },
      { name: "some", match: { names: ["*.com"], percent: 0.5 }, action: "Deny", response: { code: "REFUSED" } },
      { name: "more", match: { names: ["x.com"], percent: 100 }, action: "Accept" },
      { name: "rest", match: { names: ["*.com"] }, action: "Deny" },
    );
    const verdict = ask(snapshot, { name: "x.com" });
    assert.deepEqual([verdict.rule, "deny" in verdict], ["rest", true]);
    const told = verdict.alternatives.map((one) => [one.chance, one.rule, "deny" in one, one.audits.length]);
    assert.deepEqual(told, [
      [50, "some", true, 1],
      [10_000, "more", false, 1],
    ]);
    assert.deepEqual(verdict.audits, [{ policy: "p", rule: "trial", action: 1, chance: 5000 }]);
    const below = ask(snapshot, { name: "y.com" });
    assert.deepEqual([below.scope.extent, below.scope.labels], [Extent.BELOW, 1], "a percentage narrows no names");
  });
});

describe("decide: whom a policy speaks of", () => {
  const deny = [{ name: "r", match: { names: ["*"] }, action: "Deny" }];
  const set = (subject: object, except?: object) =>
    snapshotOf(
      documents(
        upstream("public"),
        tenant("t", { match: [{ cidrs: ["10.0.0.0/8", "fd00::/8"] }], upstream: "public" }),
        tenant("s", { match: [{ cidrs: ["11.0.0.0/8"] }], upstream: "public" }),
        tierPolicy("p", "Admin", { priority: 1, subject, except, rules: deny }),
      ),
    );
  const who = (snapshot: ReturnType<typeof set>, asked: Parameters<typeof ask>[1]) => {
    const verdict = ask(snapshot, asked);
    const { subject, tenant: name, prefix } = verdict.client;
    return `${name}/${prefix} ${"deny" in verdict ? "deny" : "forward"} ${Math.floor(subject / 4096)} ${subject % 4096}`;
  };

  it("may be some blocks: they are a subject of their own, and the client's block ends with them (traps 1)", () => {
    const snapshot = set({ tenants: ["t"], cidrs: ["10.1.0.0/16", "fd00:1::/32"] });
    assert.equal(who(snapshot, { from: "10.1.2.3" }), "t/16 deny 1 4");
    assert.equal(who(snapshot, { from: "10.2.2.3" }), "t/15 forward 0 4");
    assert.equal(who(snapshot, { from: "10.128.2.3" }), "t/9 forward 0 4");
    assert.equal(who(snapshot, { from: "11.1.2.3" }), "s/8 forward 0 3");
    assert.equal(who(snapshot, { from: "fd00:1::1" }), "t/32 deny 1 4");
    assert.equal(who(snapshot, { from: "::ffff:10.1.2.3" }), "t/112 deny 1 4");
    assert.equal(snapshot.revision.evidence, 0);
  });

  it("may be some principals: then it matters who shows which", () => {
    const snapshot = set({ principals: ["spiffe://d.example/ns/*/sa/api"] });
    assert.equal(snapshot.revision.evidence, 1);
    assert.equal(who(snapshot, { from: "10.1.2.3", principal: PRINCIPAL }), "t/8 deny 1 4");
    assert.equal(who(snapshot, { from: "11.1.2.3", principal: PRINCIPAL }), "s/8 deny 1 3");
    assert.equal(who(snapshot, { from: "10.1.2.3", principal: `${PRINCIPAL}2` }), "t/8 forward 0 4");
    assert.equal(who(snapshot, { from: "10.1.2.3" }), "t/8 forward 0 4");
  });

  it("asks for all fields at once, and leaves out whom all fields of the exception have", () => {
    const snapshot = set(
      { principals: ["spiffe://d.example/ns/*/sa/api"], cidrs: ["10.1.0.0/16", "11.0.0.0/8"] },
      { tenants: ["t"], cidrs: ["10.1.2.0/24"] },
    );
    assert.equal(who(snapshot, { from: "10.1.1.1", principal: PRINCIPAL }), "t/23 deny 1 4");
    assert.equal(who(snapshot, { from: "10.1.2.1", principal: PRINCIPAL }), "t/24 forward 0 4");
    assert.equal(who(snapshot, { from: "10.3.0.0", principal: PRINCIPAL }), "t/15 forward 0 4");
    assert.equal(who(snapshot, { from: "10.1.1.1" }), "t/8 forward 0 4");
    assert.equal(who(snapshot, { from: "11.0.0.1", principal: PRINCIPAL }), "s/8 deny 1 3");
  });

  it("may be all tenants but some", () => {
    const snapshot = set({}, { tenants: ["t"] });
    assert.equal(who(snapshot, { from: "10.1.1.1" }), "t/8 forward 0 4");
    assert.equal(who(snapshot, { from: "11.1.1.1" }), "s/8 deny 0 3");
  });

  it("tells a hundred conditions of one tenant apart", () => {
    const blocks = Array.from({ length: 100 }, (_, index) => `10.${index}.0.0/16`);
    const snapshot = snapshotOf(
      documents(
        upstream("public"),
        tenant("t", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "public" }),
        ...blocks.map((block, index) =>
          tierPolicy(`p${index}`, "Admin", { priority: index, subject: { cidrs: [block] }, rules: deny }),
        ),
      ),
    );
    const subjects = new Set<number>();
    for (let index = 0; index <= 100; index++) {
      const { client, policy: by } = ask(snapshot, { from: `10.${index}.2.3` });
      assert.equal(by, index === 100 ? "" : `p${index}`);
      assert.ok(Number.isSafeInteger(client.subject) && client.subject % 4096 === 3);
      subjects.add(client.subject);
    }
    assert.equal(subjects.size, 101);
  });
});

describe("decide: forwarding", () => {
  const text = (cache: string) =>
    documents(
      upstream("public"),
      upstream("corp", { ecs: true }),
      tenant("a", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "public", cache }),
      tenant("b", {
        match: [{ cidrs: ["11.0.0.0/8"] }],
        upstream: "public",
        forward: [{ zones: ["corp.example", "x.corp.example"], upstream: "corp" }],
      }),
      tenant("c", { match: [{ cidrs: ["12.0.0.0/8"] }], forward: [{ zones: ["corp.example"], upstream: "corp" }] }),
    );
  const forward = (from: string, name: string, cache = "Shared") => {
    const verdict = ask(snapshotOf(text(cache)), { from, name });
    return "forward" in verdict ? verdict.forward : undefined;
  };

  it("goes by the longest forward zone, else to the tenant's upstream", () => {
    const upstreams = ["corp.example", "a.corp.example", "a.x.corp.example", "example"].map(
      (name) => forward("11.0.0.1", name)?.upstream,
    );
    assert.deepEqual(upstreams, [1, 1, 1, 2]);
  });

  it("refuses what nothing is said of", () => {
    const verdict = ask(snapshotOf(text("Shared")), { from: "12.0.0.1", name: "example.org" });
    assert.deepEqual("deny" in verdict && [verdict.deny.rcode, verdict.deny.ede_code], [5, 18]);
    assert.deepEqual(verdict.scope.except, [hashOf("example")]);
  });

  it("shares answers between tenants with one view, and not with one that has its own cache", () => {
    assert.equal(forward("10.0.0.1", "a.org")?.view, forward("11.0.0.1", "a.org")?.view);
    assert.notEqual(forward("10.0.0.1", "a.org", "Own")?.view, forward("11.0.0.1", "a.org", "Own")?.view);
    assert.notEqual(forward("11.0.0.1", "a.corp.example")?.view, forward("11.0.0.1", "a.x.corp.example")?.view);
  });
});

describe("decide: answers", () => {
  it("are records of our own, or a CNAME with the place where its name is asked for", () => {
    const answer = (name: string, ...records: string[]) => ({
      name,
      match: { names: [`*.${name}`] },
      action: "Answer",
      answer: { records, ttl: "10s" },
    });
    const set = (cache: string) =>
      snapshotOf(
        documents(
          upstream("a"),
          upstream("b", { ecs: true }),
          tenant("t", { match: everyone, upstream: "a", cache, forward: [{ zones: ["corp.example"], upstream: "b" }] }),
          policy(
            "p",
            1,
            ["t"],
            [
              answer("one", "A 192.0.2.1", 'TXT "a b" c', "HTTPS 1 . alpn=h2,h3 port=8443"),
              answer("two", "CNAME WWW.corp.example."),
            ],
          ),
        ),
      );
    const snapshot = set("Shared");
    const one = ask(snapshot, { name: "x.one" });
    assert.ok("answer" in one);
    const data = one.answer.records.map(
      ({ type, data: octets }) => `${type} ${Buffer.from(octets, "base64").toString("hex")}`,
    );
    assert.deepEqual(data, ["1 c0000201", "16 036120620163", "65 000100000100060268320268330003000220fb"]);
    assert.deepEqual([one.answer.ttl, one.answer.soa_labels, one.answer.alias, one.rule], [10, 1, "", "one"]);
    const two = ask(snapshot, { name: "x.two" });
    assert.ok("answer" in two);
    assert.equal(Buffer.from(two.answer.alias, "base64").toString(), "\x03www\x04corp\x07example\x00");
    assert.equal(two.answer.forward?.upstream, 2);
    const target = ask(snapshot, { name: "www.corp.example" });
    assert.ok("forward" in target && target.forward.view !== two.answer.forward?.view);
    assert.deepEqual([two.scope.labels, two.scope.extent], [1, Extent.BELOW], "the target narrows nothing");
    const own = ask(set("Own"), { name: "x.two" });
    assert.ok("answer" in own && own.answer.forward?.view !== two.answer.forward?.view);
  });
});

describe("decide: faults", () => {
  it("end as a denial would, or only put off what comes after them", () => {
    const snapshot = withRules(
      { name: "slow", match: { names: ["*.com"], percent: 5 }, action: "Fault", fault: { delay: "200ms" } },
      { name: "some", match: { names: ["*.com"], percent: 1 }, action: "Fault", fault: { code: "Drop", delay: "1s" } },
      { name: "more", match: { names: ["*.com"] }, action: "Fault", fault: { delay: "1s500ms" } },
      { name: "cut", match: { names: ["x.com"] }, action: "Fault", fault: { code: "Truncate" } },
      { name: "broken", match: { names: ["x.com"] }, action: "Fault", fault: { code: "SERVFAIL" } },
      { name: "deny", match: { names: ["*.com"] }, action: "Deny" },
    );
    const slow = { chance: 500, milliseconds: 200 };
    const more = { chance: 0, milliseconds: 1500 };
    const denied = ask(snapshot, { name: "y.com" });
    assert.deepEqual([denied.rule, denied.delays], ["deny", [slow, more]]);
    const [some] = denied.alternatives;
    assert.deepEqual([some?.rule, some?.delays], ["some", [slow, { chance: 0, milliseconds: 1000 }]]);
    const cut = ask(snapshot, { name: "x.com", transport: 0 });
    assert.deepEqual("fault" in cut && cut.fault, { rcode: 0, form: 2, ede_text: "t/p/cut" });
    assert.equal(cut.scope.transports, 1);
    const broken = ask(snapshot, { name: "x.com", transport: 1 });
    assert.deepEqual("fault" in broken && broken.fault, { rcode: 2, form: 0, ede_text: "t/p/broken" });
    assert.equal(broken.scope.transports, 0b11110);
  });
});

describe("decide: routes", () => {
  it("go elsewhere, into the view that all who go there share", () => {
    const route = (name: string, upstreamName: string, percent?: number) => ({
      name,
      match: { names: [`*.${name}`], percent },
      action: "Route",
      route: { upstream: upstreamName },
    });
    const snapshot = snapshotOf(
      documents(
        upstream("a"),
        upstream("b", { ecs: true }),
        tenant("t", {
          match: [{ cidrs: ["10.0.0.0/8"] }],
          upstream: "a",
          forward: [{ zones: ["com"], upstream: "a" }],
        }),
        tenant("s", { match: [{ cidrs: ["11.0.0.0/8"] }], upstream: "b" }),
        tenant("o", { match: [{ cidrs: ["12.0.0.0/8"] }], upstream: "b", cache: "Own" }),
        tierPolicy("p", "Admin", { priority: 1, subject: {}, rules: [route("com", "b"), route("org", "b", 10)] }),
      ),
    );
    const places = (from: string, name: string) => {
      const verdict = ask(snapshot, { from, name });
      return [verdict, ...verdict.alternatives].map((one) => ("forward" in one ? one.forward : undefined));
    };
    const [routed] = places("10.0.0.1", "x.com");
    const [usual, canary] = places("10.0.0.1", "x.org");
    assert.deepEqual([routed?.upstream, usual?.upstream, canary?.upstream], [2, 1, 2]);
    assert.equal(canary?.view, routed?.view);
    assert.equal(places("11.0.0.1", "x.com")[0]?.view, routed?.view);
    assert.equal(places("11.0.0.1", "x.net")[0]?.view, routed?.view);
    const [own] = places("12.0.0.1", "x.com");
    assert.notEqual(own?.view, routed?.view);
    assert.equal(places("12.0.0.1", "x.net")[0]?.view, own?.view);
    assert.equal(ask(snapshot, { from: "10.0.0.1", name: "x.com" }).rule, "com");
  });
});

describe("decide: who asks", () => {
  const set = (...tenants: object[]) => snapshotOf(documents(upstream("u"), ...tenants));
  const who = (snapshot: ReturnType<typeof set>, asked: Parameters<typeof ask>[1]) => {
    const { tenant: name, prefix, subject } = ask(snapshot, asked).client;
    return `${name || (subject === 1 ? "unknown" : "unidentified")}/${prefix}`;
  };
  const spec = (...match: object[]) => ({ match, upstream: "u" });

  it("tells the block around a client that holds no other tenant's (traps 1)", () => {
    const snapshot = set(tenant("a", spec({ cidrs: ["10.0.0.0/8"] })), tenant("b", spec({ cidrs: ["10.1.0.0/16"] })));
    assert.equal(who(snapshot, { from: "10.1.2.3" }), "b/16");
    assert.equal(who(snapshot, { from: "10.0.2.3" }), "a/16");
    assert.equal(who(snapshot, { from: "10.2.2.3" }), "a/15");
    assert.equal(who(snapshot, { from: "10.200.2.3" }), "a/9");
    assert.equal(who(snapshot, { from: "11.0.0.0" }), "unknown/8");
    assert.equal(who(snapshot, { from: "::ffff:10.1.2.3" }), "b/112");
    assert.equal(who(snapshot, { from: "2001:db8::1" }), "unknown/3");
  });

  it("denies an address whose tenant requires a principal, and gives it to nobody else (traps 2)", () => {
    const snapshot = set(
      tenant("web", { ...spec({ principals: [PRINCIPAL] }, { cidrs: ["10.1.0.0/16"] }), requires: "principal" }),
      tenant("all", spec({ cidrs: ["10.0.0.0/8"] })),
      tenant("part", spec({ cidrs: ["10.1.2.0/24"] })),
    );
    assert.equal(who(snapshot, { from: "10.1.0.1" }), "unidentified/16");
    assert.equal(who(snapshot, { from: "10.1.2.1" }), "unidentified/16");
    assert.equal(who(snapshot, { from: "10.1.0.1", principal: "spiffe://d.example/other" }), "unidentified/16");
    assert.equal(who(snapshot, { from: "10.1.0.1", principal: PRINCIPAL }), "web/0");
    assert.equal(who(snapshot, { from: "10.2.0.1" }), "all/15");
    const verdict = ask(snapshot, { from: "10.1.0.1" });
    assert.ok("deny" in verdict && verdict.deny.rcode === 5 && /certificate is required/.test(verdict.deny.ede_text));
  });

  it("weighs a principal above any address, and a literal above a wildcard", () => {
    const snapshot = set(
      tenant("api", spec({ principals: [PRINCIPAL] })),
      tenant("any", spec({ principals: ["spiffe://d.example/ns/web/sa/*"] })),
      tenant("ns", spec({ principals: ["spiffe://d.example/ns/*/sa/api"] })),
      tenant("net", spec({ cidrs: ["10.0.0.1/32"] })),
    );
    const from = "10.0.0.1";
    assert.equal(who(snapshot, { from, principal: PRINCIPAL }), "api/0");
    assert.equal(who(snapshot, { from, principal: "spiffe://d.example/ns/web/sa/db" }), "any/0");
    assert.equal(who(snapshot, { from, principal: "spiffe://d.example/ns/job/sa/api" }), "ns/0");
    assert.equal(who(snapshot, { from, principal: "spiffe://d.example/ns/job/sa/db" }), "net/32");
    assert.equal(who(snapshot, { from, principal: `${PRINCIPAL}/x` }), "net/32");
    assert.equal(snapshot.revision.evidence, 1);
  });

  it("lets server names and paths narrow an entry, never outrank a longer block", () => {
    const snapshot = set(
      tenant(
        "a",
        spec({ serverNames: ["a.dns.example"], cidrs: ["10.0.0.0/8"] }, { paths: ["/t/a"], cidrs: ["10.0.0.0/8"] }),
      ),
      tenant("b", spec({ cidrs: ["10.1.0.0/16"] })),
      tenant("guest", spec({ serverNames: ["guest.dns.example"], unauthenticated: true })),
    );
    assert.equal(who(snapshot, { from: "10.2.0.1", serverName: "A.dns.example." }), "a/15");
    assert.equal(who(snapshot, { from: "10.2.0.1", path: "/t/a" }), "a/15");
    assert.equal(who(snapshot, { from: "10.2.0.1" }), "unknown/15");
    assert.equal(who(snapshot, { from: "10.1.0.1", serverName: "a.dns.example" }), "b/16");
    assert.equal(who(snapshot, { from: "10.1.0.1", serverName: "guest.dns.example" }), "b/16");
    assert.equal(who(snapshot, { from: "9.9.9.9", serverName: "guest.dns.example" }), "guest/7");
    assert.equal(snapshot.revision.evidence, 6);
  });

  it("takes a fixed identity for what it is", () => {
    const snapshot = set(tenant("a", { upstream: "u" }), tenant("b", spec({ cidrs: ["10.0.0.0/8"] })));
    assert.equal(who(snapshot, { from: "10.0.0.1", tenant: "a" }), "a/0");
    assert.equal(who(snapshot, { from: "10.0.0.1", tenant: "c" }), "unknown/0");
  });

  it("answers unknown clients as the settings say", () => {
    const response = { code: "NXDOMAIN", ede: "Filtered", ttl: "10s" };
    const settings = {
      kind: "Settings",
      metadata: { name: "default" },
      spec: { unknownClient: { action: "Deny", response } },
    };
    const verdict = ask(snapshotOf(documents(settings)), {});
    assert.deepEqual("deny" in verdict && verdict.deny, {
      rcode: 3,
      ede_code: 17,
      ede_text: "unknown client",
      ttl: 10,
      soa_labels: 0,
      form: 0,
      records: [],
    });
    assert.equal(verdict.scope.extent, Extent.AT_OR_BELOW);
    const fallback = ask(snapshotOf(""), {});
    assert.deepEqual("deny" in fallback && [fallback.deny.rcode, fallback.deny.ede_code], [5, 18]);
  });
});
