/**
 * The other end of a JobThread: jobs in, results out.
 */
import { constants, platform, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import type { JobMessage } from "./job-thread.ts";

/** One at a time, but for jobs that wait for something. */
export function doJobs<Job>(run: (job: Job) => unknown): void {
  stepBack();
  parentPort?.on("message", async ({ id, job }: JobMessage<Job>) => {
    try {
      parentPort?.postMessage({ id, result: await run(job) });
    } catch (error) {
      parentPort?.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}

/** Decisions go first. Elsewhere than on Linux, a priority is the process's, and threads share. */
function stepBack(): void {
  if (platform() !== "linux") return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not allowed here.
  }
}
