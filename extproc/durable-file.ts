/**
 * Files that are replaced, never changed: written beside, forced to disk, renamed over the old one, and the directory forced
 * to disk. Whoever reads one, at whatever moment the writer was killed, reads one whole.
 */
import { open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";

/** No reader takes a dot file for YAML. One writer, so one name: the next write overwrites what a kill left. */
const TEMPORARY_FILE = ".writing.tmp";

/** The file has all of it, on disk, or is as it was. */
export async function replaceFile(
  directory: string,
  name: string,
  parts: readonly (string | Uint8Array)[],
): Promise<void> {
  const temporary = join(directory, TEMPORARY_FILE);
  const file = await open(temporary, "w", 0o600);
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, name));
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
