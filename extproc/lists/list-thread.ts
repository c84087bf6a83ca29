/**
 * The main module of the thread of lists.
 */
import { doJobs } from "../threads/do-jobs.ts";
import { doListJob } from "./list-job.ts";

doJobs(doListJob);
