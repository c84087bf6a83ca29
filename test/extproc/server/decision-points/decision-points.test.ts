import assert from "node:assert/strict";
import { Extent, type Verdict } from "../../../../extproc/compiled/messages.ts";
import { decide } from "../../../../extproc/decide/decide.ts";
import { Opa } from "../../../../extproc/server/decision-points/ask-opa.ts";
import { DecisionPoints } from "../../../../extproc/server/decision-points/decision-points.ts";
import { eventually } from "../../../e2e/clients/deadline.ts";
import {
  addressOf,
  documents,
  problemsOf,
  settings,
  snapshotOf,
  tenant,
  tierPolicy,
  upstream,
  wireOf,
} from "../../compile/compile-text.ts";
import { FakeClock } from "../fake-clock.ts";
import { OpaStandIn } from "./opa-stand-in.ts";

const BASE = [
  upstream("public"),
  tenant("frontend", { match: [{ cidrs: ["10.1.0.0/16"] }], upstream: "public" }),
  tenant("backend", { match: [{ cidrs: ["10.2.0.0/16"] }], upstream: "public" }),
];

describe("decision points", () => {
  let opa: OpaStandIn;
  let clock: FakeClock;
  let client: Opa;
  let warnings: string[];
  let answers: string[];
  let points: DecisionPoints;
  beforeEach(async () => {
    opa = await OpaStandIn.start();
    clock = new FakeClock();
    client = new Opa(clock);
    warnings = [];
    answers = [];
    points = new DecisionPoints({
      decide,
      ask: client.ask,
      clock,
      logger: {
        info: () => {},
        warn: (fields, message) => warnings.push(`${message} ${String((fields as { err: unknown }).err)}`),
        error: () => {},
      },
      onAnswer: (point, answer) => answers.push(`${point} ${answer}`),
    });
  });
  afterEach(async () => {
    client.close();
    await opa.stop();
    assert.deepEqual(opa.complaints, []);
  });

  const snapshot = (rules: readonly object[], more: readonly object[] = [], sequence = 1) =>
    snapshotOf(
      documents(
        ...BASE,
        settings({ decisionPoints: [{ name: "opa", url: opa.url }] }),
        tierPolicy("asks", "Admin", { priority: 1, subject: {}, rules }),
        ...more,
      ),
      sequence,
    );
  const asking = (match: object, decide: object = {}, more: object = {}) => ({
    name: "opa",
    match,
    action: "Decide",
    decide: { by: "opa", ...decide },
    ...more,
  });
  const policy = (rules: readonly object[] = [asking({ names: ["*.example"] })]) => snapshot(rules);
  const ask = async (
    set: ReturnType<typeof snapshot>,
    name: string,
    { from = "10.1.0.1", qtype = 1, transport = 0 as const }: { from?: string; qtype?: number; transport?: 0 | 2 } = {},
  ): Promise<Verdict> =>
    points.decide(set, {
      address: addressOf(from),
      listener: "test",
      transport,
      qname: wireOf(name),
      qtype,
      time: clock.now(),
    });
  const outcome = (verdict: Verdict) =>
    `${"deny" in verdict ? `denied ${verdict.deny.rcode} ${verdict.deny.ede_text}` : "forwarded"} ${verdict.rule}`.trim();

  it("are told who asks for what, and say what becomes of that alone", async () => {
    opa.rule = ({ name }) =>
      name === "good.example" ? true : name === "gone.example" ? { allow: false, reason: "it is gone" } : false;
    const set = policy();
    const good = await ask(set, "GOOD.example", { qtype: 28, transport: 2 });
    assert.deepEqual(opa.asked, [{ tenant: "frontend", name: "good.example", type: "AAAA", transport: "dot" }]);
    assert.equal(outcome(good), "forwarded opa");
    assert.deepEqual(good.scope, {
      labels: 2,
      extent: Extent.EXACT,
      except: [],
      types: [28],
      types_excluded: false,
      transports: 1 << 2,
      lifetime_ms: 30_000,
    });
    assert.equal(outcome(await ask(set, "gone.example")), "denied 3 frontend/asks/opa: it is gone opa");
    assert.equal(outcome(await ask(set, "bad.example")), "denied 3 frontend/asks/opa opa");
    // Names of no such rule are nobody else's business, and are decided at once.
    const other = points.decide(set, {
      address: addressOf("10.1.0.1"),
      listener: "test",
      transport: 0,
      qname: wireOf("www.example.org"),
      qtype: 1,
      time: clock.now(),
    });
    assert.ok(!(other instanceof Promise));
    assert.equal(opa.asked.length, 3);
    assert.deepEqual(answers, ["opa accept", "opa deny", "opa deny"]);
  });

  it("may leave it to the next tier, and to the rules there", async () => {
    opa.rule = () => ({ action: "Pass" });
    const later = tierPolicy("later", "Baseline", {
      priority: 1,
      subject: {},
      rules: [{ name: "no", match: { names: ["*.example"] }, action: "Deny" }],
    });
    const verdict = await ask(snapshot([asking({ names: ["*.example"] })], [later]), "www.example");
    assert.equal(outcome(verdict), "denied 3 frontend/later/no no");
    assert.equal(verdict.scope.extent, Extent.EXACT);
  });

  it("are asked once for all that they say it holds for, and for as long", async () => {
    opa.rule = ({ name, tenant }) =>
      name.endsWith(".wide.example")
        ? { allow: tenant === "frontend", below: "Wide.Example.", anyType: true, anyTransport: true, ttl: 10 }
        : { allow: true, ttl: 3600 };
    const set = policy([asking({ names: ["*.example"] }, { ttl: "1m" })]);
    const wide = await ask(set, "a.wide.example");
    assert.deepEqual(
      [wide.scope.labels, wide.scope.extent, wide.scope.types, wide.scope.transports, wide.scope.lifetime_ms],
      [2, Extent.AT_OR_BELOW, [], 0, 10_000],
    );
    await ask(set, "b.c.wide.example", { qtype: 16, transport: 2 });
    await ask(set, "wide.example");
    assert.equal(opa.asked.length, 1);
    assert.equal(outcome(await ask(set, "b.wide.example", { from: "10.2.0.1" })), "denied 3 backend/asks/opa opa");
    assert.equal(opa.asked.length, 2);
    clock.advance(10_000);
    await ask(set, "a.wide.example");
    assert.equal(opa.asked.length, 3);
    // Of a single name, no longer than the rule lets it.
    const single = await ask(set, "one.example");
    assert.equal(single.scope.lifetime_ms, 60_000);
    clock.advance(20_000);
    assert.equal((await ask(set, "one.example")).scope.lifetime_ms, 40_000);
    await ask(set, "one.example", { qtype: 28 });
    assert.deepEqual(
      opa.asked.slice(3).map(({ name, type }) => `${name} ${type}`),
      ["one.example A", "one.example AAAA"],
    );
  });

  it("are asked once by those who ask at the same time", async () => {
    opa.rule = () => true;
    const set = policy();
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => ask(set, "same.example")));
    assert.deepEqual([opa.asked.length, new Set(verdicts.map(outcome)).size], [1, 1]);
  });

  it("are told of clients where rules say so, and each client then is a subject of its own", async () => {
    opa.rule = ({ client }) => client === "10.1.0.1";
    const set = policy([asking({ names: ["*.example"] }, { byClient: true })]);
    const [one, other] = [await ask(set, "a.example"), await ask(set, "a.example", { from: "10.1.0.2" })];
    assert.deepEqual([outcome(one), outcome(other)], ["forwarded opa", "denied 3 frontend/asks/opa opa"]);
    assert.notEqual(one.client.subject, other.client.subject);
    assert.deepEqual([one.client.prefix, other.client.prefix], [32, 32]);
    const again = await ask(set, "a.example", { from: "::ffff:10.1.0.1" });
    assert.deepEqual(
      [again.client.subject, again.client.prefix, outcome(again)],
      [one.client.subject, 128, outcome(one)],
    );
    const whole = policy();
    const subjects = [await ask(whole, "x.example"), await ask(whole, "x.example", { from: "10.1.0.2" })];
    assert.equal(subjects[0]?.client.subject, subjects[1]?.client.subject);
  });

  it("say what would be, where the rule is on trial", async () => {
    opa.rule = ({ name }) => name !== "bad.example";
    const set = policy([asking({ names: ["*.example"] }, {}, { mode: "Audit" })]);
    const bad = await ask(set, "bad.example");
    assert.equal(outcome(bad), "forwarded");
    assert.deepEqual(
      bad.audits.map(({ policy, rule, action }) => [policy, rule, action]),
      [["asks", "opa", 1]],
    );
    assert.deepEqual(
      (await ask(set, "good.example")).audits.map(({ action }) => action),
      [0],
    );
  });

  for (const [what, trouble] of [
    ["an error", { status: 500, body: "{}" }],
    ["no JSON", { status: 200, body: "<html>" }],
    ["no such document", { status: 200, body: "{}" }],
    ["null", { status: 200, body: "null" }],
    ["another result", { status: 200, body: '{"result": {"allowed": true}}' }],
    ["two results", { status: 200, body: '{"result": {"allow": true, "action": "Deny"}}' }],
    ["somebody else's domain", { status: 200, body: '{"result": {"allow": true, "below": "other.example"}}' }],
    ["half a label", { status: 200, body: '{"result": {"allow": true, "below": "xample"}}' }],
    ["too much", { status: 200, body: `{"result": true, "more": "${"x".repeat(70_000)}"}` }],
  ] as const) {
    it(`that answer by ${what} are taken to say what the rule says, for a second`, async () => {
      opa.trouble = trouble;
      const set = policy([
        asking({ names: ["deny.example"] }),
        asking({ names: ["pass.example"] }, { onError: "Pass" }, { name: "open" }),
      ]);
      const denied = await ask(set, "deny.example");
      assert.equal(outcome(denied), "denied 3 frontend/asks/opa opa");
      assert.equal(denied.scope.lifetime_ms, 1000);
      assert.equal(outcome(await ask(set, "pass.example")), "forwarded");
      assert.deepEqual(answers, ["opa failed", "opa failed"]);
      assert.equal(warnings.length, 1);
      await ask(set, "deny.example");
      assert.equal(opa.asked.length, 2);
      opa.trouble = undefined;
      opa.rule = () => true;
      clock.advance(1000);
      assert.equal(outcome(await ask(set, "deny.example")), "forwarded opa");
    });
  }

  it("that do not answer in time hold up their own question alone, and that no longer than they may", async () => {
    opa.trouble = "hangs";
    const set = policy([
      asking({ names: ["*.example"] }, {}, { mode: "Audit" }),
      asking({ names: ["*.example"] }, { ttl: "5s" }, { name: "two" }),
    ]);
    let ended: Verdict | undefined;
    void ask(set, "slow.example").then((verdict) => {
      ended = verdict;
    });
    await eventually(5000, "a question", () => opa.asked.length === 1);
    assert.equal(outcome(await ask(set, "www.example.org")), "forwarded");
    clock.advance(99);
    assert.equal(ended, undefined);
    clock.advance(1);
    // The second is asked by what is left of 150 ms.
    await eventually(5000, "the other question", () => opa.asked.length === 2);
    clock.advance(50);
    await eventually(5000, "an end", () => ended !== undefined);
    assert.equal(ended && outcome(ended), "denied 3 frontend/asks/two two");
    assert.match(
      warnings[0] ?? "",
      /a decision point says nothing: Deny Error: expected an answer within 100 ms, got none/,
    );
  });

  it("are those of Settings, which an admin writes", () => {
    const set = (rule: object, spec: object = {}) =>
      problemsOf(
        documents(...BASE, settings(spec), tierPolicy("asks", "Admin", { priority: 1, subject: {}, rules: [rule] })),
      ).join();
    assert.match(
      set(asking({ names: ["*"] })),
      /decide\.by: expected an existing decision point of Settings, got "opa"/,
    );
    const known = { decisionPoints: [{ name: "opa", url: "http://127.0.0.1:8181/v1/data/dns" }] };
    assert.equal(set(asking({ names: ["*"] }), known), "");
    assert.match(set({ ...asking({ names: ["*"] }), decide: undefined }, known), /expected by with action Decide/);
    assert.match(set(asking({ names: ["*"], percent: 5 }), known), /expected no percent with action Decide/);
    assert.match(
      set(asking({ names: ["*"] }), { decisionPoints: [{ name: "opa", url: "opa:8181", timeout: "1s" }] }),
      /url: expected a URL as .*timeout: expected at most 150ms, got 1000ms/,
    );
  });
});
