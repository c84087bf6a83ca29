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
      // A machine that is busy with something else for a second, or one lost datagram, is no finding; two are.
      this.retries(1);
      const report = new Report();
      await proof.run(0.02, report);
      assert.deepEqual(report.failures, [], JSON.stringify(report.figures));
    });
  }
});
