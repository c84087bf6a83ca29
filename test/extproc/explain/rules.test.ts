/**
 * Which rules match, and which one decides, against the plain evaluator.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { loadSnapshot } from "../../../extproc/compiled/snapshot.ts";
import { decide } from "../../../extproc/decide/decide.ts";
import { considerRules, type SaidOfRule, type TenantRequest } from "../../../extproc/explain/rules.ts";
import { addressOf, documents, policy, tenant, upstream, wireOf } from "../compile/compile-text.ts";
import { policySet, request } from "../decide/arbitrary.ts";
import { consultOracle } from "../decide/oracle.ts";
import { judgePlainly, type PlainRequest } from "../decide/reference.ts";
import { inlineTables } from "../lists/inline-tables.ts";

const UDP = { transport: 0, time: 0 };

describe("the rules that were considered", function () {
  this.timeout(60_000);
  const jobs = new CompileJobs();

  function consider(text: string, { address, labels, ...question }: PlainRequest) {
    const resources = jobs.read([{ name: "set", text }]);
    const qname = wireOf(labels.length === 0 ? "." : labels.join("."));
    const whole = { listener: "test", ...UDP, ...question, tenant: "t0", address: addressOf(address), qname };
    const result = jobs.run([{ name: "set", text }], undefined);
    if (!result.ok) return considerRules(resources, whole as TenantRequest);
    const lists = inlineTables(result.policy);
    const said: Record<string, SaidOfRule> = {};
    const ask = consultOracle(whole.time);
    decide(loadSnapshot(result.policy, 1, lists), {
      ...(whole as TenantRequest),
      consult: (decider, asked, { policy, rule }) => {
        const answer = ask(decider, asked, { policy, rule });
        if (answer !== undefined) said[`${policy}/${rule}`] = { ...answer, point: decider.point };
        return answer;
      },
    });
    return considerRules(resources, { ...(whole as TenantRequest), said }, lists);
  }

  it("are those of the tenant in their order, and the one that decides is the decision's", () => {
    let decided = 0;
    fc.assert(
      fc.property(policySet, fc.array(request, { minLength: 4, maxLength: 4 }), (text, questions) => {
        const resources = jobs.read([{ name: "set", text }]).map(({ resource }) => resource);
        fc.pre(jobs.run([{ name: "set", text }], undefined).ok);
        for (const question of questions) {
          const rules = consider(text, question);
          const expected = judgePlainly(resources, { ...question, tenant: "t0" });
          const decisive = rules.find(({ fate }) => fate === "decides");
          assert.equal(decisive?.policy ?? "", expected.policy);
          assert.equal(decisive?.rule ?? "", expected.rule);
          if (decisive !== undefined) decided++;
          const order = rules.map(
            ({ tier, priority }) => ["Admin", "Tenant", "Baseline"].indexOf(tier) * 1024 + priority,
          );
          assert.deepEqual(
            order,
            order.toSorted((a, b) => a - b),
          );
          for (const { fate, because } of rules) assert.equal(fate === "no match", because !== undefined);
        }
      }),
      { numRuns: 80, seed: 853, maxSkipsPerRun: 50 },
    );
    assert.ok(decided > 20, `${decided} decided`);
  });

  it("say what each has to do with the question", () => {
    const text = documents(
      upstream("u"),
      tenant("t0", { match: [{ cidrs: ["10.0.0.0/8"] }], upstream: "u" }),
      tenant("t1", { match: [{ cidrs: ["11.0.0.0/8"] }], upstream: "u" }),
      policy(
        "b",
        1,
        ["t0"],
        [
          { name: "other-name", match: { names: ["*.org"] }, action: "Deny" },
          { name: "other-type", match: { names: ["*.com"], types: ["TXT"] }, action: "Deny" },
          { name: "first", match: { names: ["*.com"] }, action: "Accept" },
          { name: "second", match: { names: ["a.com", "*"] }, action: "Deny" },
        ],
      ),
      policy("a", 2, ["t0"], [{ name: "third", match: { names: ["*.com"] }, action: "Deny" }]),
      policy("c", 3, ["t1"], [{ name: "foreign", match: { names: ["*"] }, action: "Deny" }]),
    );
    const told = (passing: boolean) =>
      consider(passing ? text.replace("Accept", "Pass") : text, {
        address: "10.0.0.1",
        labels: ["a", "com"],
        qtype: 1,
        ...UDP,
      }).map(({ policy: name, rule, fate, because }) => [`${name}/${rule}`, because === undefined ? fate : because]);
    const unmatched = [
      ["b/other-name", "names"],
      ["b/other-type", "types"],
    ];
    assert.deepEqual(told(false), [
      ...unmatched,
      ["b/first", "decides"],
      ["b/second", "shadowed"],
      ["a/third", "shadowed"],
    ]);
    assert.deepEqual(told(true), [
      ...unmatched,
      ["b/first", "passes on"],
      ["b/second", "passed over"],
      ["a/third", "passed over"],
    ]);
  });
});
