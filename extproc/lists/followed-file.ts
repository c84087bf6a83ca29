/**
 * A list that stands in the policy, or in a file that somebody else writes.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ListReference } from "../compiled/list-reference.ts";
import { FollowedList, type FollowOptions } from "./followed-list.ts";
import type { ListJob, ReadOutcome } from "./list-job.ts";

export class FollowedFile extends FollowedList {
  readonly first: Promise<unknown>;
  /** Undefined where the names stand in the policy. */
  readonly #path: string | undefined;
  /** Size and time of the file that was judged, and of the one that was seen last. */
  #judged = "";
  #seen = "";
  #version = 0;

  constructor(reference: ListReference, options: FollowOptions) {
    super(reference, options);
    this.#path = reference.file === undefined ? undefined : resolve(options.directory, reference.file);
    this.first = this.#start();
  }

  get from(): string {
    return this.#path ?? "inline";
  }

  /** Reads the file if it is another one. */
  async look(): Promise<boolean> {
    const path = this.#path;
    if (path === undefined) return false;
    const found = await signatureOf(path);
    // Nobody writes a million names in a moment: a file is read when it has been the same for a second.
    const settled = found === this.#seen;
    this.#seen = found;
    if (!settled || found === this.#judged) return false;
    this.#judged = found;
    return this.#read({ ...this.reference, path, before: this.content?.table });
  }

  async #start(): Promise<void> {
    const path = this.#path;
    if (path === undefined) {
      await this.#read({ ...this.reference, names: this.reference.inline ?? [] });
      return;
    }
    this.#seen = await signatureOf(path);
    this.#judged = this.#seen;
    await this.#read({ ...this.reference, path });
  }

  async #read(job: ListJob): Promise<boolean> {
    const { reader } = this.options;
    const outcome = await reader.read(job).catch((error: Error): ReadOutcome => ({ ok: false, error: error.message }));
    if (!outcome.ok) return this.failed(outcome.error);
    const { others, table, ...rest } = outcome;
    const since = this.content?.table.version;
    const change = others === undefined || since === undefined ? {} : { change: { since, names: others } };
    return this.took({ ...rest, table: { ...table, version: ++this.#version, ...change } });
  }
}

async function signatureOf(path: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(path);
    return `${size} ${mtimeMs} ${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}
