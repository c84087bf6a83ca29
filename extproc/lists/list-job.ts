/**
 * What the thread of lists is asked to do; and one list, from where it is to its table: what is wrong with it is an outcome,
 * not an error.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ListReference } from "../compiled/list-reference.ts";
import type { NameTable } from "../compiled/name-table.ts";
import type { ZoneRequest } from "../transfer/zone-store.ts";
import { changedNames } from "./compare-tables.ts";
import type { ListContent } from "./list-names.ts";
import { readList } from "./read-list.ts";

export type ListJob = Pick<ListReference, "format" | "subdomains"> &
  ({ readonly names: readonly string[] } | { readonly path: string; readonly before?: NameTable | undefined });

export type ReadOutcome =
  | (ListContent & {
      readonly ok: true;
      /** Equal for texts that are. */
      readonly digest: string;
      /** In wire format, where these are all in which a file is other than it was before. */
      readonly others?: readonly Uint8Array[];
    })
  | { readonly ok: false; readonly error: string };

export interface ListThreadData {
  /** Where zones are written down. */
  readonly directory: string | undefined;
}

export type ZoneJob =
  | { readonly refresh: ZoneRequest }
  | { readonly restore: ZoneRequest }
  | { readonly keep: readonly Omit<ZoneRequest, "serial">[] };

export function doListJob(job: ListJob): ReadOutcome {
  try {
    const text = "path" in job ? readFileSync(job.path, "utf8") : job.names.join("\n");
    const content = readList(job, text);
    const before = "path" in job ? job.before : undefined;
    const others = before && changedNames(before, content.table);
    const digest = createHash("sha256").update(text).digest("hex");
    return { ok: true, ...content, digest, ...(others === undefined ? {} : { others }) };
  } catch (error) {
    return { ok: false, error: (error as Error).message };
  }
}
