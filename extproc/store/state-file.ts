/**
 * The store's one file: a whole policy set as YAML, below a line with its sequence number.
 *
 * It is replaced, never changed: written beside, forced to disk, renamed over the old one, and the directory forced
 * to disk. Whoever reads it, at whatever moment the writer was killed, reads one whole set.
 */
import { open, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";

export const STATE_FILE = "state.yaml";

/** No reader takes a dot file for YAML. One writer, so one name: the next write overwrites what a kill left. */
const TEMPORARY_FILE = ".state.yaml.tmp";

const HEADER = /^# dnspolicy state: sequence (\d{1,16}), hash ([0-9a-f]{16})\n/;

export interface State {
  readonly sequence: number;
  readonly hash: string;
  /** The set, without the header line. */
  readonly text: Uint8Array;
}

/** Undefined where there is no file; an Error for one that this has not written. */
export async function readState(directory: string): Promise<State | undefined> {
  let content: Buffer;
  try {
    content = await readFile(join(directory, STATE_FILE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const state = parseState(content);
  if (state !== undefined) return state;
  const found = JSON.stringify(content.subarray(0, 60).toString("latin1"));
  throw new Error(`${join(directory, STATE_FILE)}: line 1: expected "# dnspolicy state: ...", got ${found}`);
}

/** Undefined for a text without the header line. */
export function parseState(content: Buffer): State | undefined {
  const match = HEADER.exec(content.subarray(0, 100).toString("latin1"));
  if (match === null) return undefined;
  const sequence = Number(match[1]);
  if (!Number.isSafeInteger(sequence)) return undefined;
  return { sequence, hash: match[2] ?? "", text: content.subarray(match[0].length) };
}

export async function writeState(directory: string, { sequence, hash, text }: State): Promise<void> {
  const temporary = join(directory, TEMPORARY_FILE);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(`# dnspolicy state: sequence ${sequence}, hash ${hash}\n`);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, STATE_FILE));
  await syncDirectory(directory);
}

/** What a killed writer left behind. */
export async function removeTemporary(directory: string): Promise<void> {
  await unlink(join(directory, TEMPORARY_FILE)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}

/** A rename is on disk when its directory is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
