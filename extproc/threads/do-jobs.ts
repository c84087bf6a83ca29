/**
 * The other end of a JobThread: jobs in, results out, one at a time.
 */
import { parentPort } from "node:worker_threads";
import type { JobMessage } from "./job-thread.ts";

export function doJobs<Job>(run: (job: Job) => unknown): void {
  parentPort?.on("message", ({ id, job }: JobMessage<Job>) => {
    try {
      parentPort?.postMessage({ id, result: run(job) });
    } catch (error) {
      parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
