/**
 * The compiling thread's main module: jobs in, results out, one at a time.
 */
import { parentPort } from "node:worker_threads";
import { considerRules, type TenantRequest } from "../explain/rules.ts";
import type { Change, Source } from "./change.ts";
import { CompileJobs } from "./job.ts";

/** A set to compile, or to be asked which of its rules match. */
export type JobMessage = { readonly id: number; readonly base: readonly Source[] } & (
  | { readonly change: Change | undefined; readonly revision: number }
  | { readonly request: TenantRequest }
);

const jobs = new CompileJobs();

parentPort?.on("message", (message: JobMessage) => {
  const { id, base } = message;
  try {
    const result =
      "request" in message
        ? considerRules(jobs.read(base), message.request)
        : jobs.run(base, message.change, message.revision);
    parentPort?.postMessage({ id, result });
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
