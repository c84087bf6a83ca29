/**
 * A directory of YAML as it is at one moment.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Source } from "../compile/change.ts";
import { parseState } from "./state-file.ts";

/** Kubernetes mounts a ConfigMap as links through this one, and changes all files at once by replacing it. */
const CONFIG_MAP_LINK = "..data";

/** A mount that is replaced while it is read is read again. */
const MAX_READS = 5;

export interface DirectoryContent {
  readonly sources: readonly Source[];
  /** SHA-256 of names and texts. */
  readonly digest: string;
  /** Newest modification among the files, whole milliseconds. */
  readonly modifiedMs: number;
  /** Of the writer's state file, where the directory is a store. */
  readonly sequence: number | undefined;
}

export async function readDirectory(directory: string): Promise<DirectoryContent> {
  for (let reads = 1; ; reads++) {
    const root = await resolveMount(directory);
    try {
      const content = await readFiles(root);
      if ((await resolveMount(directory)) === root || reads === MAX_READS) return content;
    } catch (error) {
      // A file that went away between listing and reading.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || reads === MAX_READS) throw error;
    }
  }
}

async function resolveMount(directory: string): Promise<string> {
  try {
    return await realpath(join(directory, CONFIG_MAP_LINK));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return realpath(directory);
  }
}

async function readFiles(root: string): Promise<DirectoryContent> {
  const names = (await readdir(root)).filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name)).sort();
  const sources: Source[] = [];
  const hash = createHash("sha256");
  let modifiedMs = 0;
  let sequence: number | undefined;
  for (const name of names) {
    const path = join(root, name);
    const content = await readFile(path);
    modifiedMs = Math.max(modifiedMs, Math.floor((await stat(path)).mtimeMs));
    const state = parseState(content);
    sequence = state?.version.sequence ?? sequence;
    hash.update(`${name.length} ${name} ${content.length} `).update(content);
    sources.push({ name, text: state?.text ?? content });
  }
  return { sources, digest: hash.digest("hex"), modifiedMs, sequence };
}
