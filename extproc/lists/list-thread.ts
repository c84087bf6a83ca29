/**
 * The main module of the thread of lists.
 */
import { workerData } from "node:worker_threads";
import { doJobs } from "../threads/do-jobs.ts";
import { doListJob } from "./list-job.ts";
import type { ListJob } from "./list-reader.ts";
import { type ZoneRequest, ZoneStore } from "./zone-store.ts";

export interface ListThreadData {
  /** Where zones are written down. */
  readonly directory: string | undefined;
}

export type ZoneJob =
  | { readonly refresh: ZoneRequest }
  | { readonly restore: ZoneRequest }
  | { readonly keep: readonly Omit<ZoneRequest, "serial">[] };

const zones = new ZoneStore((workerData as ListThreadData).directory);

doJobs((job: ListJob | ZoneJob) => {
  if ("refresh" in job) return zones.refresh(job.refresh);
  if ("restore" in job) return zones.restore(job.restore);
  if ("keep" in job) return zones.keep(job.keep);
  return doListJob(job);
});
