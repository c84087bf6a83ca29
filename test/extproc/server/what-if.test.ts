import assert from "node:assert/strict";
import { Harness } from "./harness.ts";
import { DENY_COM } from "./policies.ts";

describe("what would be", () => {
  let harness: Harness;
  before(async () => {
    harness = await Harness.start();
  });
  after(() => harness.stop());

  async function explain(more: object) {
    const body = JSON.stringify({ client: "127.0.1.1", name: "a.com", ...more });
    const headers = { "content-type": "application/json" };
    const { status, text } = await harness.http({ method: "POST", path: "/v1/explain", headers, body });
    return { status, body: JSON.parse(text) };
  }

  it("is told of resources that are not in force, and they stay so", async () => {
    const now = await explain({});
    assert.deepEqual([now.body.outcome, now.body.revision], ["deny", 1]);
    const then = await explain({ resources: DENY_COM.replace("*.com", "*.net") });
    assert.deepEqual([then.status, then.body.outcome, then.body.revision], [200, "forward", 0]);
    assert.deepEqual(
      then.body.rules.map(({ fate, because }: { fate: string; because: string }) => [fate, because]),
      [["no match", "names"]],
    );
    assert.equal((await explain({})).body.outcome, "deny");
    assert.equal(harness.service.control.sequence, 1);
  });

  it("is the whole set where that is said", async () => {
    const { status, body } = await explain({ resources: DENY_COM, prune: true });
    assert.equal(status, 400);
    assert.match(body.problems[0].message, /frontend/);
  });

  it("has to be valid", async () => {
    const { status, body } = await explain({ resources: DENY_COM.replace("Deny", "Dny") });
    assert.equal(status, 400);
    assert.equal(body.problems[0].path, "spec.rules[0].action");
  });
});
