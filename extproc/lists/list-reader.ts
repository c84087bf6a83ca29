/**
 * The thread of lists, seen from the decision thread: millions of names are read there, and what comes back is views of
 * shared memory.
 */
import type { ListReference } from "../compiled/list-reference.ts";
import { JobThread } from "../threads/job-thread.ts";
import type { ListContent } from "./list-names.ts";

export type ListJob = Pick<ListReference, "format" | "subdomains"> &
  ({ readonly names: readonly string[] } | { readonly path: string });

export type ReadOutcome =
  | (ListContent & { readonly ok: true /** Equal for texts that are. */; readonly digest: string })
  | { readonly ok: false; readonly error: string };

export interface ListReader {
  read(job: ListJob): Promise<ReadOutcome>;
  close(): Promise<void>;
}

/** Where this is built, and where the sources run. */
const MODULE = /\.ts(\?|$)/.test(import.meta.url) ? "./list-thread-from-sources.mjs" : "./list-thread.js";

/** Of a text of ten million names, and of what they are read into. */
const HEAP_MIB = 2048;

export function startListReader(): ListReader {
  const module = new URL(MODULE, import.meta.url);
  const thread = new JobThread<ListJob>({ name: "list-reader", module, heapMiB: HEAP_MIB });
  return { read: (job) => thread.ask(job), close: () => thread.close() };
}
