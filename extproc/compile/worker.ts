/**
 * The compiling thread's main module: jobs in, results out, one at a time.
 */
import { parentPort } from "node:worker_threads";
import { considerRules, type TenantRequest } from "../explain/rules.ts";
import { type ObjectSource, parseObjects } from "../mesh/sources/parse-objects.ts";
import type { Change, Source } from "./change.ts";
import { CompileJobs } from "./job.ts";

/** A set to compile, or to be asked which of its rules match; or texts to read objects of the mesh from. */
export type JobMessage = { readonly id: number } & (
  | { readonly base: readonly Source[]; readonly change: Change | undefined; readonly revision: number }
  | { readonly base: readonly Source[]; readonly request: TenantRequest }
  | { readonly objects: readonly ObjectSource[] }
);

const jobs = new CompileJobs();

parentPort?.on("message", (message: JobMessage) => {
  const { id } = message;
  try {
    parentPort?.postMessage({ id, result: run(message) });
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

function run(message: JobMessage): unknown {
  if ("objects" in message) return parseObjects(message.objects);
  if ("request" in message) return considerRules(jobs.read(message.base), message.request);
  return jobs.run(message.base, message.change, message.revision);
}
