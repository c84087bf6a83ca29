/**
 * Every proof at a fiftieth of its size.
 */
import { strict as assert } from "node:assert";
import { Report } from "./proof.ts";
import { proofs } from "./proofs.ts";

describe("what it must show, at 1/50", () => {
  for (const proof of proofs) {
    it(`${proof.name}: ${proof.what}`, async function () {
      this.timeout(180_000);
      const report = new Report();
      await proof.run(0.02, report);
      assert.deepEqual(report.failures, [], JSON.stringify(report.figures));
    });
  }
});
