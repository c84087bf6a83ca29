/**
 * A version on disk: a whole policy set as YAML, below a line with its number and one with its record.
 *
 * The state file is the version in force, and so the one file that has to be there. Whoever reads one, at whatever moment the
 * writer was killed, reads one whole set (../durable-file.ts).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../durable-file.ts";
import type { Version, VersionRecord } from "./version.ts";

export const STATE_FILE = "state.yaml";

const NUMBER = /^# dnspolicy state: sequence (\d{1,16}), hash ([0-9a-f]{16})\n/;
const RECORD = "# dnspolicy version: ";

/** Of a state that was written before versions had records. */
const NO_RECORD: VersionRecord = { time: "", author: { name: "dnspolicy", by: "service" }, reason: "" };

export interface State {
  readonly version: Version;
  /** The set, without the lines above it. */
  readonly text: Uint8Array;
}

/** Undefined where there is no file; an Error for one that this has not written. */
export async function readState(directory: string, name = STATE_FILE): Promise<State | undefined> {
  let content: Buffer;
  try {
    content = await readFile(join(directory, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const state = parseState(content);
  if (state !== undefined) return state;
  const found = JSON.stringify(content.subarray(0, 60).toString("latin1"));
  throw new Error(`${join(directory, name)}: line 1: expected "# dnspolicy state: ...", got ${found}`);
}

/** Undefined for a text without the line of its number. */
export function parseState(content: Buffer): State | undefined {
  const match = NUMBER.exec(content.subarray(0, 100).toString("latin1"));
  if (match === null) return undefined;
  const sequence = Number(match[1]);
  if (!Number.isSafeInteger(sequence)) return undefined;
  const { record, text } = readRecord(content.subarray(match[0].length));
  return { version: { sequence, hash: match[2] ?? "", ...record }, text };
}

function readRecord(content: Buffer): { readonly record: VersionRecord; readonly text: Uint8Array } {
  const end = content.indexOf("\n");
  if (end < 0 || !content.subarray(0, RECORD.length).equals(Buffer.from(RECORD))) {
    return { record: NO_RECORD, text: content };
  }
  const text = content.subarray(end + 1);
  try {
    const record = JSON.parse(content.toString("utf8", RECORD.length, end));
    return { record: { ...NO_RECORD, ...record }, text };
  } catch {
    // An edit by hand: the set is what counts.
    return { record: NO_RECORD, text };
  }
}

export async function writeState(directory: string, state: State, name = STATE_FILE): Promise<void> {
  await replaceFile(directory, name, formatState(state));
}

/** What parseState() reads. */
export function formatState({ version, text }: State): readonly [head: string, text: Uint8Array] {
  const { sequence, hash, ...record } = version;
  return [`# dnspolicy state: sequence ${sequence}, hash ${hash}\n${RECORD}${JSON.stringify(record)}\n`, text];
}

export function sameState(a: State, b: State): boolean {
  if (a.version.sequence !== b.version.sequence || a.version.hash !== b.version.hash) return false;
  return Buffer.compare(a.text, b.text) === 0;
}
