/**
 * The line before a resource in a listing of many: which one it is, and what a stored set knows of it beside its text.
 * A listing can be taken apart by these lines alone: YAML itself lets no other line begin like them.
 */

/** How often the spec has changed, and the revision that brought it. */
export interface Lineage {
  /** 1 for a resource that is new; grows with each change of its spec. */
  readonly generation: number;
  /** 0 where it is not known. */
  readonly revision: number;
}

export const NO_LINEAGE: Lineage = { generation: 1, revision: 0 };

export interface ListedResource extends Lineage {
  readonly kind: string;
  readonly name: string;
  readonly text: string;
}

const LINEAGE = ", generation (\\d{1,15}), revision (\\d{1,15})";

/**
 * The line that starts any document, and comments before it; what formatDocumentStart() has written there is no
 * comment of its author.
 */
const DOCUMENT_START = new RegExp(
  `^((?:[ \\t]*(?:#.*)?\\r?\\n)*)---(?=\\s|$)[ \\t]*(?:# \\w+/[a-z0-9.-]+(?:${LINEAGE})?[ \\t]*(?=\\n))?\\n?`,
);
const LISTED_START = new RegExp(`^--- # (\\w+)/([a-z0-9.-]+)(?:${LINEAGE})?\\n`, "m");

export function formatDocumentStart({ kind, name, generation, revision }: Omit<ListedResource, "text">): string {
  return `--- # ${kind}/${name}, generation ${generation}, revision ${revision}\n`;
}

export interface DocumentStart {
  /** Comments before the line. */
  readonly prelude: string;
  /** What stands behind it; all of a text without such a line. */
  readonly content: string;
  readonly lineage: Lineage;
}

export function readDocumentStart(text: string): DocumentStart {
  const [start = "", prelude = "", generation, revision] = DOCUMENT_START.exec(text) ?? [];
  return { prelude, content: text.slice(start.length), lineage: toLineage(generation, revision) };
}

export function splitListing(listing: string): readonly ListedResource[] {
  const [, ...parts] = listing.split(LISTED_START);
  const resources: ListedResource[] = [];
  for (let at = 0; at < parts.length; at += 5) {
    const [kind = "", name = "", generation, revision, text = ""] = parts.slice(at, at + 5);
    resources.push({ kind, name, text, ...toLineage(generation, revision) });
  }
  return resources;
}

function toLineage(generation: string | undefined, revision: string | undefined): Lineage {
  if (generation === undefined) return NO_LINEAGE;
  return { generation: Number(generation), revision: Number(revision) };
}
