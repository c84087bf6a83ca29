import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { formatProblem } from "../../../extproc/resources/problem.ts";

describe("the examples", () => {
  const read = (name: string) => {
    const path = fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));
    return { name, text: readFileSync(path, "utf8") };
  };

  for (const names of [["compose.yaml"], ["upstreams.yaml"], ["demo.yaml", "policies.yaml"]]) {
    it(`are policies without a fault or a warning: ${names.join(" and ")}`, () => {
      const result = new CompileJobs().run(names.map(read), undefined);
      const found = [...(result.ok ? [] : result.problems), ...result.warnings].map(formatProblem);
      assert.deepEqual(found, []);
    });
  }
});
