/**
 * Versions in etcd, which any number of services share.
 *
 * A set is written first, in pieces (../../etcd/chunks.ts); then one transaction makes it the version in force, if that is
 * still the one that the change was made of. So of two changes at once one is refused, and whoever is killed at whatever
 * moment leaves one of two whole sets.
 */
import {
  areThere,
  type ChunksReference,
  deletionOf,
  readChunks,
  removeOrphans,
  writeChunks,
} from "../../etcd/chunks.ts";
import { ABSENT, type Etcd, type KeyValue, type Operation } from "../../etcd/etcd.ts";
import { KeyWatch } from "../../etcd/key-watch.ts";
import type { Clock } from "../../server/clock.ts";
import type { State } from "../state-file.ts";
import type { Version } from "../version.ts";
import { KEPT_VERSIONS, type SharedVersions, type VersionStorage } from "../version-storage.ts";

export interface EtcdVersionsOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  /** What is in force where nothing is. */
  readonly first: () => Promise<State>;
  readonly onTrouble: (error: unknown) => void;
  readonly onRestored: () => void;
}

/** What is under STATE and below VERSIONS. */
interface Entry {
  readonly version: Version;
  readonly text: ChunksReference;
}

/** The version in force: the entry that the newest version has, too. */
const STATE = "policy/state";
const VERSIONS = "policy/versions/";
/** How often it is looked whether etcd has told everything. */
const LOOK_MS = 5000;
/** Versions that one transaction removes at most. */
const MAX_REMOVED = 20;

export class EtcdVersions implements VersionStorage, SharedVersions {
  readonly shared = this;
  readonly #options: EtcdVersionsOptions;
  /** As it was read last, with the revision that wrote it. */
  #inForce: Entry & { readonly revision: string };
  /** The revision of what the store knows. */
  #told = "";
  /** Oldest first. */
  #entries: readonly Entry[] = [];
  #watch: KeyWatch | undefined;
  #stopLooking: () => void = () => {};
  #trouble = "";
  #closed = false;

  /** Rejects where etcd cannot be reached. */
  static async open(options: EtcdVersionsOptions): Promise<EtcdVersions> {
    const { etcd, first } = options;
    let begun: Entry | undefined;
    if ((await etcd.get(STATE)) === undefined) {
      const { version, text } = await first();
      begun = { version, text: await writeChunks(etcd, text) };
      // Another may do the same at this moment: one of both is it.
      await etcd.change([{ key: STATE, revision: ABSENT }, ...areThere(begun.text)], putsOf(begun));
    }
    const stored = await etcd.get(STATE);
    if (stored === undefined) throw new Error(`${etcd.name}: expected the key ${STATE}, got none`);
    if (begun !== undefined && readEntry(stored).text.id !== begun.text.id) await discard(etcd, begun, stored);
    const versions = new EtcdVersions(options, stored);
    await versions.#list();
    await removeOrphans(etcd, [versions.#inForce.text, ...versions.#entries.map(({ text }) => text)]);
    return versions;
  }

  private constructor(options: EtcdVersionsOptions, stored: KeyValue) {
    this.#options = options;
    this.#inForce = { ...readEntry(stored), revision: stored.revision };
  }

  get name(): string {
    return this.#options.etcd.name;
  }

  get versions(): readonly Version[] {
    return this.#entries.map(({ version }) => version).toReversed();
  }

  get trouble(): string {
    return this.#trouble;
  }

  async read(sequence: number): Promise<State | undefined> {
    const entry = this.#entries.find(({ version }) => version.sequence === sequence);
    return entry && this.#stateOf(entry);
  }

  async news(): Promise<State | undefined> {
    const { etcd } = this.#options;
    try {
      const stored = await etcd.get(STATE);
      if (stored === undefined) throw new Error(`expected the key ${STATE}, got none`);
      this.#isWell();
      if (stored.revision === this.#told) return undefined;
      this.#inForce = { ...readEntry(stored), revision: stored.revision };
      await this.#list();
      const state = await this.#stateOf(this.#inForce);
      this.#told = stored.revision;
      return state;
    } catch (error) {
      this.#isIll(error);
      throw error;
    }
  }

  onChange(task: () => void): void {
    const { etcd, clock } = this.#options;
    this.#watch = new KeyWatch(etcd, {
      folder: STATE,
      after: (milliseconds, again) => clock.after(milliseconds, again),
      onChange: task,
      onFailed: (error) => this.#isIll(error),
      onRestored: () => this.#isWell(),
    });
    this.#stopLooking = clock.every(LOOK_MS, task);
  }

  async replace({ version: before }: State, { version, text }: State): Promise<string | undefined> {
    const { etcd } = this.#options;
    const present = this.#inForce;
    if (present.version.sequence !== before.sequence) return this.#conflict(before);
    const entry = { version, text: await writeChunks(etcd, text) };
    const { kept, operations } = this.#makeRoom(entry);
    const conditions = [{ key: STATE, revision: present.revision }, ...areThere(entry.text)];
    const revision = await etcd.change(conditions, [...putsOf(entry), ...operations]).catch((error: Error) => error);
    if (typeof revision !== "string") {
      // An answer that was lost may have been a success.
      const stored = await etcd.get(STATE);
      if (stored === undefined || readEntry(stored).text.id !== entry.text.id) {
        await discard(etcd, entry, stored);
        if (revision !== undefined) throw revision;
        return this.#conflict(before);
      }
      this.#inForce = { ...entry, revision: stored.revision };
    } else this.#inForce = { ...entry, revision };
    this.#told = this.#inForce.revision;
    this.#entries = [...kept, entry];
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    this.#stopLooking();
  }

  /** What stays beside a new version, or one in other words; and what has to go for it. */
  #makeRoom({ version }: Entry): { readonly kept: readonly Entry[]; readonly operations: readonly Operation[] } {
    const reworded = this.#entries.filter((entry) => entry.version.sequence === version.sequence);
    const others = this.#entries.filter((entry) => !reworded.includes(entry));
    const old = others.slice(0, Math.min(MAX_REMOVED, Math.max(0, others.length + 1 - KEPT_VERSIONS)));
    return {
      kept: others.slice(old.length),
      operations: [
        ...[...reworded, ...old].map(({ text }) => deletionOf(text)),
        ...old.map((entry) => ({ delete: keyOf(entry.version.sequence) })),
      ],
    };
  }

  async #list(): Promise<void> {
    const { items } = await this.#options.etcd.list(VERSIONS);
    this.#entries = items.map(readEntry).filter(({ version }) => version.sequence <= this.#inForce.version.sequence);
  }

  async #stateOf({ version, text }: Entry): Promise<State> {
    return { version, text: await readChunks(this.#options.etcd, text) };
  }

  #conflict({ sequence }: Version): string {
    return `expected version ${sequence} in force, got another that was written at the same time: apply it again`;
  }

  #isWell(): void {
    if (this.#trouble !== "") this.#options.onRestored();
    this.#trouble = "";
  }

  #isIll(error: unknown): void {
    if (this.#trouble !== "" || this.#closed) return;
    const since = new Date(this.#options.clock.now()).toISOString();
    const why = error instanceof Error ? error.message : String(error);
    this.#trouble = `etcd cannot be read since ${since}: what is in force stays (${why})`;
    this.#options.onTrouble(error);
  }
}

/** What was written for nothing: unless it comes in force after all, from a request that was late. */
async function discard(etcd: Etcd, { text }: Entry, inForce: KeyValue | undefined): Promise<void> {
  await etcd.change([{ key: STATE, revision: inForce?.revision ?? ABSENT }], [deletionOf(text)]);
}

function putsOf(entry: Entry): readonly Operation[] {
  const value = JSON.stringify(entry);
  return [
    { put: STATE, value },
    { put: keyOf(entry.version.sequence), value },
  ];
}

/** In the order of numbers. */
function keyOf(sequence: number): string {
  return `${VERSIONS}${String(sequence).padStart(16, "0")}`;
}

function readEntry({ key, value }: KeyValue): Entry {
  try {
    const { version, text } = JSON.parse(value.toString("utf8")) as Entry;
    if (Number.isSafeInteger(version.sequence) && typeof text.id === "string") return { version, text };
  } catch {
    // Told below.
  }
  throw new Error(`key ${key}: expected a version of a policy, got ${JSON.stringify(value.toString("utf8", 0, 60))}`);
}
