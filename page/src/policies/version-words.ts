/** What a version changed, in words. */
import type { Version } from "../../../extproc/store/version.ts";

/** After a dot, where it is known. */
export function describeCounts({ counts }: Pick<Version, "counts">): string {
  if (counts === undefined) return "";
  const parts = [
    counts.created > 0 ? `${counts.created} new` : "",
    counts.updated > 0 ? `${counts.updated} changed` : "",
    counts.deleted > 0 ? `${counts.deleted} deleted` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` · ${parts.join(", ")}`;
}
