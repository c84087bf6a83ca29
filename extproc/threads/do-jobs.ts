/**
 * The other end of a JobThread: jobs in, results out.
 */
import { parentPort } from "node:worker_threads";
import type { JobMessage } from "./job-thread.ts";

/** One at a time, but for jobs that wait for something. */
export function doJobs<Job>(run: (job: Job) => unknown): void {
  parentPort?.on("message", async ({ id, job }: JobMessage<Job>) => {
    try {
      parentPort?.postMessage({ id, result: await run(job) });
    } catch (error) {
      parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}
