/**
 * What one set of resources says otherwise than another: by resource, as a unified diff of its YAML.
 */
import { createTwoFilesPatch } from "diff";

export interface ResourceText {
  readonly kind: string;
  readonly name: string;
  readonly text: string;
}

export interface Difference {
  readonly kind: string;
  readonly name: string;
  readonly change: "created" | "updated" | "deleted";
  /** As diff -u has it, with `Kind/name` for file names and /dev/null for a resource that is not there. */
  readonly diff: string;
}

/** Finding the shortest diff takes time with the square of its length: of what differs in more lines, all is said. */
const MAX_EDITS = 5000;

/** Both sets ordered by kind and name, and so is what differs. Of texts alone: that of a comment is a difference. */
export function findDifferences(before: readonly ResourceText[], after: readonly ResourceText[]): Difference[] {
  const old = new Map(before.map((resource) => [keyOf(resource), resource]));
  const fresh = new Map(after.map((resource) => [keyOf(resource), resource]));
  const keys = [...new Set([...old.keys(), ...fresh.keys()])].sort();
  return keys.flatMap((key) => {
    const [one, other] = [old.get(key), fresh.get(key)];
    const { kind, name } = one ?? other ?? { kind: "", name: "" };
    if (one?.text === other?.text) return [];
    const change = one === undefined ? "created" : other === undefined ? "deleted" : "updated";
    return [{ kind, name, change, diff: unifiedDiff(key, one?.text, other?.text) }];
  });
}

/** Undefined is a resource that is not there. */
function unifiedDiff(key: string, before: string | undefined, after: string | undefined): string {
  const [from, to] = [before, after].map((text) => (text === undefined ? "/dev/null" : key));
  const options = { maxEditLength: MAX_EDITS };
  const patch = createTwoFilesPatch(from ?? "", to ?? "", before ?? "", after ?? "", undefined, undefined, options);
  // Its "Index:" and the line of equals signs are Subversion's.
  if (patch !== undefined) return patch.slice(patch.indexOf("--- "));
  const [old, fresh] = [before ?? "", after ?? ""].map((text) => text.trimEnd().split("\n"));
  const lines = [...(old ?? []).map((line) => `-${line}`), ...(fresh ?? []).map((line) => `+${line}`)];
  return `--- ${from}\n+++ ${to}\n@@ -1,${old?.length} +1,${fresh?.length} @@\n${lines.join("\n")}\n`;
}

function keyOf({ kind, name }: ResourceText): string {
  return `${kind}/${name}`;
}
