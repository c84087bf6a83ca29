/**
 * The compiling thread's main module: jobs in, results out, one at a time.
 */
import { parentPort } from "node:worker_threads";
import type { Change, Source } from "./change.ts";
import { CompileJobs } from "./job.ts";

export interface JobMessage {
  readonly id: number;
  readonly base: readonly Source[];
  readonly change: Change | undefined;
  readonly revision: number;
}

const jobs = new CompileJobs();

parentPort?.on("message", ({ id, base, change, revision }: JobMessage) => {
  try {
    parentPort?.postMessage({ id, result: jobs.run(base, change, revision) });
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
