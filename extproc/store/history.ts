/**
 * The versions that a store has had: one file each beside the state file, the last of them equal to it.
 *
 * A version is written before the state that makes it the one in force, so that what was in force once can be
 * gone back to. A version above the state's number is what a killed writer was about to do, and is no version.
 */
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { removeTemporary, syncDirectory } from "../durable-file.ts";
import { parseState, readState, type State, writeState } from "./state-file.ts";
import type { Version } from "./version.ts";
import { KEPT_VERSIONS } from "./version-storage.ts";

/** Readers of the store's directory look at its files only. */
const DIRECTORY = "history";

/** Enough for the two lines above a set. */
const MAX_HEAD = 16_384;

export class History {
  readonly #directory: string;
  /** Oldest first. */
  readonly #versions: Version[];

  private constructor(directory: string, versions: Version[]) {
    this.#directory = directory;
    this.#versions = versions;
  }

  /** The state in force becomes the last version if it is not one yet. */
  static async open(storeDirectory: string, state: State): Promise<History> {
    const directory = join(storeDirectory, DIRECTORY);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await syncDirectory(storeDirectory);
    await removeTemporary(directory);
    const { sequence } = state.version;
    const versions: Version[] = [];
    for (const number of await listNumbers(directory)) {
      if (number > sequence) await rm(join(directory, fileName(number)), { force: true });
      else versions.push(...(await readHead(directory, number)));
    }
    const last = versions.at(-1);
    if (last?.sequence === sequence && last.hash !== state.version.hash) versions.pop();
    const history = new History(directory, versions);
    if (versions.at(-1)?.sequence !== sequence) {
      await history.write(state);
      await history.commit(state.version);
    }
    return history;
  }

  /** Newest first. */
  get versions(): readonly Version[] {
    return this.#versions.toReversed();
  }

  /** Undefined for a version that is not kept. */
  async read(sequence: number): Promise<State | undefined> {
    if (!this.#versions.some((version) => version.sequence === sequence)) return undefined;
    return readState(this.#directory, fileName(sequence));
  }

  /** On disk when resolved, and a version when the state is, too: commit() then. */
  async write(state: State): Promise<void> {
    await writeState(this.#directory, state, fileName(state.version.sequence));
  }

  async commit(version: Version): Promise<void> {
    this.#versions.push(version);
    for (const old of this.#versions.splice(0, this.#versions.length - KEPT_VERSIONS)) {
      // What cannot be removed is in nobody's way, and the change that is in force must not fail of it.
      await rm(join(this.#directory, fileName(old.sequence)), { force: true }).catch(() => undefined);
    }
  }
}

function fileName(sequence: number): string {
  return `${sequence}.yaml`;
}

async function listNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  return names
    .flatMap((name) => /^(\d{1,16})\.yaml$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Of a set of any size, without reading it; nothing for a file that is none of ours. */
async function readHead(directory: string, sequence: number): Promise<readonly Version[]> {
  const file = await open(join(directory, fileName(sequence)), "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEAD), 0, MAX_HEAD, 0);
    const version = parseState(buffer.subarray(0, bytesRead))?.version;
    return version?.sequence === sequence ? [version] : [];
  } finally {
    await file.close();
  }
}
