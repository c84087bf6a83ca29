/**
 * One list, from where it is to its table. What is wrong with it is an outcome, not an error.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ListJob, ReadOutcome } from "./list-reader.ts";
import { readList } from "./read-list.ts";

export function doListJob(job: ListJob): ReadOutcome {
  try {
    const text = "path" in job ? readFileSync(job.path, "utf8") : job.names.join("\n");
    return { ok: true, ...readList(job, text), digest: createHash("sha256").update(text).digest("hex") };
  } catch (error) {
    return { ok: false, error: (error as Error).message };
  }
}
