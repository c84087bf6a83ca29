/**
 * Reference: the compiled policy against the plain evaluator of the tests, on random sets and questions.
 */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { CheckedSets, SetsToCheck } from "../extproc/decide/check-sets.ts";
import { type Proof, scaled } from "./proof.ts";

const CASES = 1_000_000;
const QUESTIONS = 50;
/** Sets that a thread has in hand at once. */
const LOT = 40;
/** Of some fifty questions inside each scope, one in so many; which, changes from case to case. */
const STEP = 12;
const SEED = 20_261_124;
const MAX_THREADS = 8;

export const reference: Proof = {
  name: "reference",
  what: "1,000,000 random questions of random policy sets: the verdict of the plain evaluator, in all of its scope",
  async run(scale, report) {
    const lots = Math.ceil(scaled(CASES, scale, QUESTIONS * LOT) / (QUESTIONS * LOT));
    const started = performance.now();
    const sums = { sets: 0, cases: 0, inside: 0 };
    const differences: string[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      const worker = new Worker(new URL("./reference-worker-from-sources.mjs", import.meta.url));
      try {
        while (next < lots && differences.length === 0) {
          const lot: SetsToCheck = { sets: LOT, questions: QUESTIONS, seed: SEED + next++, step: STEP };
          worker.postMessage(lot);
          const [checked] = (await once(worker, "message")) as [CheckedSets];
          sums.sets += checked.sets;
          sums.cases += checked.cases;
          sums.inside += checked.inside;
          if (checked.difference !== undefined) differences.push(`seed ${lot.seed}: ${checked.difference}`);
        }
      } finally {
        await worker.terminate();
      }
    };
    const threads = Math.min(availableParallelism(), MAX_THREADS, lots);
    await Promise.all(Array.from({ length: threads }, work));
    report.figure("policy sets", sums.sets);
    report.atLeast("random cases", sums.cases, lots * LOT * QUESTIONS);
    report.figure("further questions inside their scopes", sums.inside);
    report.figure("threads", threads);
    report.figure("seconds", (performance.now() - started) / 1000);
    report.check(differences.length === 0, `expected no difference, got ${differences[0]}`);
  },
};
