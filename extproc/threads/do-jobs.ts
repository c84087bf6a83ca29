/**
 * The other end of a JobThread: jobs in, results out.
 */
import { platform, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import type { JobMessage } from "./job-thread.ts";

/** Of nice(2): a third of what others get, where there is not enough for all. */
const BACK = 5;

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
    setPriority(BACK);
  } catch {
    // Not allowed here.
  }
}
