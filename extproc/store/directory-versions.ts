/**
 * Versions in a directory of one writer: the one in force (state-file.ts) and those before it (history.ts).
 */
import { mkdir } from "node:fs/promises";
import { removeTemporary } from "../durable-file.ts";
import { History } from "./history.ts";
import { readState, type State, sameState, writeState } from "./state-file.ts";
import type { Version } from "./version.ts";
import type { VersionStorage } from "./version-storage.ts";

export class DirectoryVersions implements VersionStorage {
  readonly name: string;
  readonly trouble = "";
  readonly #history: History;

  /** Made if it is not there. `revise` says what is in force from now on, given what is there. */
  static async open(
    directory: string,
    revise: (state: State | undefined) => Promise<State>,
  ): Promise<DirectoryVersions> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeTemporary(directory);
    const state = await readState(directory);
    const opened = await revise(state);
    if (state === undefined || !sameState(state, opened)) await writeState(directory, opened);
    return new DirectoryVersions(directory, await History.open(directory, opened));
  }

  private constructor(directory: string, history: History) {
    this.name = directory;
    this.#history = history;
  }

  get versions(): readonly Version[] {
    return this.#history.versions;
  }

  read(sequence: number): Promise<State | undefined> {
    return this.#history.read(sequence);
  }

  /** A version is on disk before the state that makes it the one in force. */
  async replace(present: State, next: State): Promise<string | undefined> {
    // Two writers on one directory would give one number to two sets.
    const stored = await readState(this.name);
    if (stored === undefined || !sameState(stored, present)) {
      const found = stored === undefined ? "none" : describe(stored.version);
      return `expected the state that this process wrote (${describe(present.version)}), got ${found}: a store has one writer`;
    }
    const isNew = next.version.sequence !== present.version.sequence;
    if (isNew) await this.#history.write(next);
    await writeState(this.name, next);
    if (isNew) await this.#history.commit(next.version);
    return undefined;
  }

  async close(): Promise<void> {}
}

function describe({ sequence, hash }: Version): string {
  return `sequence ${sequence}, hash ${hash}`;
}
