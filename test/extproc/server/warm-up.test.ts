/**
 * Decisions before anybody asks: by the policy that there is, as whole as those of clients.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Verdict } from "../../../extproc/compiled/messages.ts";
import { decide } from "../../../extproc/decide/decide.ts";
import { warmUp } from "../../../extproc/server/decisions/warm-up.ts";
import { FakeClock } from "./fake-clock.ts";
import { POLICY, upstream } from "./policies.ts";
import { openTestStore } from "./test-store.ts";

describe("a service before its first client", () => {
  let directory = "";
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function verdictsOf(policy: string): Promise<Verdict[]> {
    const clock = new FakeClock();
    const store = await openTestStore(directory, policy, clock);
    const verdicts: Verdict[] = [];
    const watched: typeof decide = (snapshot, request) => {
      const verdict = decide(snapshot, request);
      verdicts.push(verdict);
      return verdict;
    };
    warmUp(store.current(), { identity: "1", decide: watched, clock });
    await store.close();
    return verdicts;
  }

  it("decides for a tenant, often enough for the compiler to notice", async () => {
    const verdicts = await verdictsOf(POLICY);
    assert.ok(verdicts.length >= 50, `expected some 100 decisions, got ${verdicts.length}`);
    assert.deepEqual(new Set(verdicts.map(({ client }) => client.tenant)), new Set(["frontend"]));
    assert.ok(verdicts.every((verdict) => "forward" in verdict));
  });

  it("decides for a stranger where there is no tenant", async () => {
    const verdicts = await verdictsOf(upstream());
    assert.ok(verdicts.length > 0);
    assert.ok(verdicts.every((verdict) => "deny" in verdict && verdict.client.tenant === ""));
  });
});
