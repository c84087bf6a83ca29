/**
 * Proofs as tests, at a fiftieth of their size.
 */
import { strict as assert } from "node:assert";
import { type Proof, Report } from "./proof.ts";

/** Other suites share the cores, and so few queries have few that are late: whether a bound of time is kept shows at full size. */
const PATIENCE = 4;

export function proveInSmall(proofs: Proof[]): void {
  for (const proof of proofs) {
    it(`${proof.name}: ${proof.what}`, async function () {
      this.timeout(180_000);
      // A machine that is busy with something else for a second, or one lost datagram, is no finding; two are.
      this.retries(1);
      const report = new Report(PATIENCE);
      await proof.run(0.02, report);
      assert.deepEqual(report.failures, [], JSON.stringify(report.figures));
    });
  }
}
