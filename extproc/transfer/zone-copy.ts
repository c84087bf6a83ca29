/**
 * A zone that was fetched, written down: so that a service that starts while its primary is away has the names at once,
 * and asks for what has changed instead of for all of it. The file's time is when the primary last said that it is so.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { Soa } from "./transfer-message.ts";

export interface ZoneCopy {
  /** As ZoneRecords has saved them. */
  readonly records: unknown;
  readonly soa: Soa;
}

export interface CopyPlace {
  readonly directory: string;
  /** Of what is written. */
  readonly format: string;
  /** Whose zone it is. */
  readonly key: string;
}

export function writeCopy(place: CopyPlace, { records, soa }: ZoneCopy): void {
  const { directory, format, key } = place;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = pathOf(place);
  writeFileSync(`${path}.tmp`, serialize({ format, key, soa, records }), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** The primary has said again that this is the zone. */
export function confirmCopy(place: CopyPlace, milliseconds: number): void {
  try {
    utimesSync(pathOf(place), milliseconds / 1000, milliseconds / 1000);
  } catch {
    // Who has taken the file away has it written anew with the next change.
  }
}

/** Undefined for one that is not there, or that another release has written. */
export function readCopy(place: CopyPlace): (ZoneCopy & { readonly confirmed: number }) | undefined {
  try {
    const path = pathOf(place);
    const { format, key, soa, records } = deserialize(readFileSync(path));
    if (format !== place.format || key !== place.key) return undefined;
    return { soa, records, confirmed: Math.round(statSync(path).mtimeMs) };
  } catch {
    return undefined;
  }
}

function pathOf({ directory, key }: CopyPlace): string {
  return join(directory, `${createHash("sha256").update(key).digest("hex").slice(0, 16)}.zone`);
}
