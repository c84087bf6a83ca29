/**
 * The main module of the thread of lists.
 */
import { workerData } from "node:worker_threads";
import { doJobs } from "../threads/do-jobs.ts";
import { ZoneStore } from "../transfer/zone-store.ts";
import { doListJob, type ListJob, type ListThreadData, type ZoneJob } from "./list-job.ts";
import { RPZ_FORM } from "./rpz-zone.ts";

/** A large list takes seconds to write, and what is missing in a copy is asked for again. */
const COPY_MS = 60_000;

const { directory } = workerData as ListThreadData;
const zones = new ZoneStore({ directory, form: RPZ_FORM, copyMs: COPY_MS, now: Date.now });

doJobs((job: ListJob | ZoneJob) => {
  if ("refresh" in job) return zones.refresh(job.refresh);
  if ("restore" in job) return zones.restore(job.restore);
  if ("keep" in job) return zones.keep(job.keep);
  return doListJob(job);
});
