/**
 * A zone that was fetched, written down: so that a service that starts while its primary is away has the names at once,
 * and asks for what has changed instead of for all of it.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { ListNames } from "./list-names.ts";
import type { Soa } from "./transfer-message.ts";

export interface ZoneCopy {
  readonly names: ListNames;
  readonly soa: Soa;
}

/** Of what is written, and of the layout of tables. */
const FORMAT = 1;

export function writeCopy(directory: string, key: string, { names, soa }: ZoneCopy): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = pathOf(directory, key);
  writeFileSync(`${path}.tmp`, serialize({ format: FORMAT, key, soa, names: names.save() }), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** Undefined for one that is not there, or that another release has written. */
export function readCopy(directory: string, key: string): ZoneCopy | undefined {
  try {
    const { format, key: written, soa, names } = deserialize(readFileSync(pathOf(directory, key)));
    return format === FORMAT && written === key ? { soa, names: ListNames.load(names) } : undefined;
  } catch {
    return undefined;
  }
}

function pathOf(directory: string, key: string): string {
  return join(directory, `${createHash("sha256").update(key).digest("hex").slice(0, 16)}.zone`);
}
