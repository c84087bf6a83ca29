/**
 * Random policy sets and questions: `npm run prove -- reference` looks at a million.
 */
import assert from "node:assert/strict";
import { checkSets } from "./check-sets.ts";

/** DECIDE_SETS=20000 looks at so many. */
const SETS = Number(process.env.DECIDE_SETS ?? 200);
const SEED = Number(process.env.DECIDE_SEED ?? 853);

describe("decide, against the plain evaluator", function () {
  this.timeout(120_000 + SETS * 2000);

  it("gives the same verdict, and the same everywhere inside its scope", () => {
    const { sets, difference } = checkSets({ sets: SETS, questions: 12, seed: SEED, step: 1 });
    assert.equal(difference, undefined, difference);
    assert.equal(sets, SETS);
  });
});
