/** What rules have matched, over restarts. */
import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalTelemetry } from "../../../extproc/telemetry/local-telemetry.ts";
import { RuleMemory } from "../../../extproc/telemetry/rule-memory.ts";
import { batchOf, eventOf } from "./events.ts";

const DAY = 86_400_000;
const START = 1_764_000_000_000;

describe("what rules have matched", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "dnspolicy-rules-"));
  });
  after(() => rm(directory, { recursive: true }));

  /** A service that begins at a moment, hears of these, and ends. */
  async function live(now: number, ...events: object[]) {
    const memory = new RuleMemory(join(directory, "rules.json"));
    const telemetry = new LocalTelemetry({ now: () => now, ruleMemory: { memory, kept: memory.read() } });
    telemetry.take(batchOf(...events.map((event) => eventOf(event))), "node", () => {});
    const rules = await telemetry.ask("rules", {});
    await telemetry.close();
    return rules;
  }

  it("is there after a restart, with when it was and since when it is counted", async () => {
    await live(START, {}, { audits: [{ policy: "trial", rule: "no-org", action: 1 }] });
    const since = new Date(START).toISOString();
    const last = since;
    assert.deepEqual(await live(START + DAY, { policy: "other", rule: "one" }), {
      since,
      rules: [
        { policy: "no-com", rule: "deny-com", hits: 2, audited: 0, last },
        { policy: "other", rule: "one", hits: 1, audited: 0, last: new Date(START + DAY).toISOString() },
        { policy: "trial", rule: "no-org", hits: 0, audited: 1, last },
      ],
    });
    const { rules } = await live(START + 2 * DAY, {});
    assert.equal(rules[0]?.hits, 3);
    assert.equal((await stat(join(directory, "rules.json"))).mode & 0o777, 0o600);
  });

  it("is not read from what somebody else has written", async () => {
    const path = join(directory, "else.json");
    const memory = new RuleMemory(path);
    assert.equal(memory.read(), undefined);
    const rows = [[1], ["t", "p", "r", 1, [1], "1"], ["t", "p", "r", 1, ["1"], 1], ["t", "p", 1, 1, [1], 1]];
    const documents = rows.map((row) => JSON.stringify({ since: 1, rules: [row] }));
    for (const text of ["", "[]", "null", '{"rules": []}', ...documents]) {
      await writeFile(path, text);
      assert.throws(() => memory.read(), Error, text);
    }
  });
});
