/**
 * A store in a directory of a test, with a set in it as version 1, that compiles at once instead of in a thread.
 */

import { CompileJobs } from "../../../extproc/compile/job.ts";
import type { Compiler } from "../../../extproc/compile-thread/compiler.ts";
import { considerRules } from "../../../extproc/explain/rules.ts";
import { lint } from "../../../extproc/lint/lint.ts";
import { parseObjects } from "../../../extproc/mesh/sources/parse-objects.ts";
import type { PolicyStore } from "../../../extproc/store/policy-store.ts";
import { openStore } from "../../../extproc/store/store.ts";
import type { FakeClock } from "./fake-clock.ts";

export async function openTestStore(directory: string, text: string, clock: FakeClock): Promise<PolicyStore> {
  const store = await openStore({ directory, compiler: compileAtOnce(), now: () => clock.now(), firstSequence: 0 });
  const result = await store.apply({ upsert: [{ name: "start", text }] }, { reason: "the beginning" });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return store;
}

export function compileAtOnce(): Compiler {
  const jobs = new CompileJobs();
  return {
    compile: async (base, change, revision) => jobs.run(base, change, revision),
    consider: async (base, request, lists) => considerRules(jobs.read(base), request, lists),
    lint: async (base) => lint(jobs.read(base), jobs.run(base, {}).warnings),
    readObjects: async (sources) => parseObjects(sources),
    close: async () => {},
  };
}
