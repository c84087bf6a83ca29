/**
 * The number under which workers obey, where it is beyond the version's: lists of names change without a version.
 *
 * Workers take no number below one that they have seen, and keep verdicts by one that is the same: so it is on disk
 * before anybody is told, with a digest of the names that it stands for.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../durable-file.ts";

const REVISION_FILE = "revision";

export interface Revision {
  readonly sequence: number;
  /** Of the names of all lists. */
  readonly lists: string;
}

/** Undefined where no list has ever changed anything. */
export async function readRevision(directory: string): Promise<Revision | undefined> {
  try {
    const { sequence, lists } = JSON.parse(await readFile(join(directory, REVISION_FILE), "utf8"));
    if (Number.isSafeInteger(sequence) && typeof lists === "string") return { sequence, lists };
    throw new Error(
      `${join(directory, REVISION_FILE)}: expected {"sequence": NUMBER, "lists": TEXT}, got other fields`,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function writeRevision(directory: string, revision: Revision): Promise<void> {
  await replaceFile(directory, REVISION_FILE, [`${JSON.stringify(revision)}\n`]);
}
