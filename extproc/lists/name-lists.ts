/**
 * The lists that the policy in force speaks of: read once each, again when there is something new, and kept as they last
 * were where the new one is no list.
 */
import { createHash } from "node:crypto";
import type { ListReference } from "../compiled/list-reference.ts";
import type { NameTable } from "../compiled/name-table.ts";
import { FollowedFile } from "./followed-file.ts";
import type { FollowedList, FollowOptions, ListStatus } from "./followed-list.ts";
import { FollowedZone } from "./followed-zone.ts";
import type { ListSource, ReadTables } from "./list-source.ts";

export interface NameListsOptions extends FollowOptions {
  /** Runs a task again and again; returns how to stop. */
  readonly every: (milliseconds: number, task: () => void) => () => void;
  /** Runs a task once; returns how to cancel it. */
  readonly after: (milliseconds: number, task: () => void) => () => void;
}

/** How often lists are looked at: a look costs nothing, and file systems that tell of changes do not all tell. */
const LOOK_MS = 1000;

/** A change waits so long for a list that was never read; then it comes in force without those names. */
const PREPARE_MS = 20_000;

export class NameLists implements ListSource {
  readonly #options: NameListsOptions;
  readonly #lists = new Map<string, FollowedList>();
  readonly #busy = new Set<FollowedList>();
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  /** There are names that nobody has heard of. */
  #changed = false;
  #told = 0;

  constructor(options: NameListsOptions) {
    this.#options = options;
    this.#stop = options.every(LOOK_MS, () => {
      for (const list of this.#lists.values()) void this.#look(list);
      this.#tell();
    });
  }

  async prepare(references: readonly ListReference[]): Promise<ReadTables> {
    const lists = references.map((reference) => this.#open(reference));
    let cancel = (): void => {};
    const late = new Promise<false>((resolve) => {
      cancel = this.#options.after(PREPARE_MS, () => resolve(false));
    });
    const all = Promise.all(lists.map(({ first }) => first));
    const inTime = await Promise.race([late, all.then(() => true)]);
    cancel();
    if (!inTime) void all.then(() => this.#change());
    return readTables(lists);
  }

  follow(references: readonly ListReference[]): void {
    const kept = new Set(references.map((reference) => this.#open(reference)));
    for (const [key, list] of this.#lists) if (!kept.has(list)) this.#lists.delete(key);
    const zones = references.flatMap(({ name, transfer }) => (transfer ? [{ owner: name, zone: transfer }] : []));
    if (zones.length > 0) this.#options.reader.keep(zones);
  }

  read(references: readonly ListReference[]): ReadTables {
    return readTables(references.map((reference) => this.#open(reference)));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A primary says that a zone has changed; false where it is none of ours. */
  notify(zone: string, address: string): boolean {
    const zones = [...this.#lists.values()].filter((list) => list instanceof FollowedZone);
    const notified = zones.filter((list) => list.notify(zone, address));
    for (const list of notified) void this.#look(list);
    return notified.length > 0;
  }

  status(): ListStatus[] {
    return [...this.#lists.values()].map((list) => list.status()).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  #open(reference: ListReference): FollowedList {
    const key = keyOf(reference);
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const { transfer } = reference;
    const list = transfer
      ? new FollowedZone(reference, transfer, this.#options)
      : new FollowedFile(reference, this.#options);
    this.#lists.set(key, list);
    return list;
  }

  async #look(list: FollowedList): Promise<void> {
    if (this.#busy.has(list)) return;
    this.#busy.add(list);
    await list.first;
    const changed = await list.look();
    this.#busy.delete(list);
    if (changed) this.#change();
  }

  #change(): void {
    this.#changed = true;
    this.#tell();
  }

  /** What changes in one second is told as one change: each makes workers judge anew. */
  #tell(): void {
    const now = this.#options.now();
    if (!this.#changed || now < this.#told + LOOK_MS) return;
    this.#changed = false;
    this.#told = now;
    for (const listener of [...this.#listeners]) listener();
  }
}

function readTables(lists: readonly FollowedList[]): ReadTables {
  const tables = new Map<string, NameTable>();
  const digests: string[] = [];
  for (const { reference, content } of lists) {
    if (content === undefined) continue;
    tables.set(reference.name, content.table);
    digests.push(`${keyOf(reference)} ${content.digest}`);
  }
  const digest = digests.length === 0 ? "" : createHash("sha256").update(digests.join("\n")).digest("hex").slice(0, 16);
  return { tables, digest };
}

/** The same list, read in the same way. */
function keyOf(reference: ListReference): string {
  return JSON.stringify(reference);
}
