/**
 * The thread of lists, seen from the decision thread: millions of names are read there, and what comes back is views of
 * shared memory.
 */
import { JobThread } from "../threads/job-thread.ts";
import type { ZoneOutcome, ZoneRequest, ZoneSuccess } from "../transfer/zone-store.ts";
import type { ListJob, ListThreadData, ReadOutcome, ZoneJob } from "./list-job.ts";
import type { ListContent } from "./list-names.ts";

export interface ListReader {
  read(job: ListJob): Promise<ReadOutcome>;
  /** Asks a primary for what is new. */
  refresh(request: ZoneRequest): Promise<ZoneOutcome<ListContent>>;
  /** A zone as it was written down last; undefined where it was not. */
  restore(request: ZoneRequest): Promise<ZoneSuccess<ListContent> | undefined>;
  /** Of zones, these are held on, and no others. */
  keep(requests: readonly Omit<ZoneRequest, "serial">[]): void;
  close(): Promise<void>;
}

/** Where this is built, and where the sources run. */
const MODULE = /\.ts(\?|$)/.test(import.meta.url) ? "./list-thread-from-sources.mjs" : "./list-thread.js";

/** Of a text of ten million names, and of what they are read into. */
const HEAP_MIB = 2048;

/** `directory`: where zones are written down; without one, a new service begins with none. */
export function startListReader(directory?: string): ListReader {
  const module = new URL(MODULE, import.meta.url);
  const data = { directory } satisfies ListThreadData;
  const thread = new JobThread<ListJob | ZoneJob>({ name: "list-reader", module, heapMiB: HEAP_MIB, data });
  return {
    read: (job) => thread.ask(job),
    refresh: (refresh) => thread.ask({ refresh }),
    restore: (restore) => thread.ask({ restore }),
    keep: (keep) => void thread.ask({ keep }).catch(() => undefined),
    close: () => thread.close(),
  };
}
