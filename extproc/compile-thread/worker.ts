/**
 * The compiling thread's main module.
 */

import type { Change, Source } from "../compile/change.ts";
import { CompileJobs } from "../compile/job.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import { considerRules, type TenantRequest } from "../explain/rules.ts";
import { lint } from "../lint/lint.ts";
import { type ObjectSource, parseObjects } from "../mesh/sources/parse-objects.ts";
import { doJobs } from "../threads/do-jobs.ts";

/** A set to compile, to be asked which of its rules match, or what deserves a second look; or texts to read objects of the mesh from. */
export type CompileJob =
  | { readonly base: readonly Source[]; readonly change: Change | undefined; readonly revision: number }
  | { readonly base: readonly Source[]; readonly request: TenantRequest; readonly lists: NamedTables }
  | { readonly base: readonly Source[]; readonly lint: true }
  | { readonly objects: readonly ObjectSource[] };

const jobs = new CompileJobs();

doJobs((job: CompileJob) => {
  if ("objects" in job) return parseObjects(job.objects);
  if ("request" in job) return considerRules(jobs.read(job.base), job.request, job.lists);
  if ("lint" in job) return lint(jobs.read(job.base), jobs.run(job.base, {}).warnings);
  return jobs.run(job.base, job.change, job.revision);
});
