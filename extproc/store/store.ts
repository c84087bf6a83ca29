/**
 * The store of the one writer: a directory with the version in force (state-file.ts) and those before it (history.ts).
 *
 * A change is validated as a whole in the compiling thread, then on disk, then in force, in this order: what was in
 * force once is there after any crash, under the same sequence number. The number grows by one with every change of
 * what the set says, and each number is a version; a change of comments alone keeps it, and the version as it was.
 * Other names in a list take none: workers are told of them beside the number (Revision.lists of sync.proto).
 */
import { mkdir } from "node:fs/promises";
import type { Change, Compiled, CompileResult, Refused, ResourceChange } from "../compile/change.ts";
import type { Compiler } from "../compile-thread/compiler.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import { loadSnapshot, renewSnapshot, type Snapshot } from "../compiled/snapshot.ts";
import { removeTemporary } from "../durable-file.ts";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import type { Finding } from "../lint/finding.ts";
import { type ListSource, NO_LISTS, type ReadTables } from "../lists/list-source.ts";
import type { Difference } from "../resources/difference.ts";
import { type ListedResource, splitListing } from "../resources/document-start.ts";
import { formatProblem, type Problem } from "../resources/problem.ts";
import { History } from "./history.ts";
import { imagine } from "./imagine.ts";
import { InForce } from "./in-force.ts";
import type { Imagined, PolicySource, SourceStatus, StoredResource } from "./policy-source.ts";
import { readState, STATE_FILE, type State, writeState } from "./state-file.ts";
import type { Author, Version, VersionRecord } from "./version.ts";

export interface PolicyStore extends PolicySource {
  current(): Snapshot;
  /** Validated as a whole, stored, then in force; or nothing happens. Calls are done one after the other. */
  apply(change: Change, options?: ApplyOptions): Promise<ApplyResult>;
  /** A new version that says what an old one said; in everything else as apply(). */
  rollback(sequence: number, options?: ApplyOptions): Promise<ApplyResult>;
  /** The last hundred, newest first: the first is in force. */
  versions(): readonly Version[];
  /** Undefined for a version that is not kept. */
  version(sequence: number): Promise<VersionContent | undefined>;
}

export interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly author?: Author;
  readonly reason?: string;
  /** Nothing happens unless the version in force is one of these. */
  readonly ifVersions?: readonly number[] | undefined;
}

export interface VersionContent {
  readonly version: Version;
  readonly resources: readonly ListedResource[];
}

export interface Accepted {
  readonly ok: true;
  /** False: the set already said this, and the version stays. */
  readonly changed: boolean;
  /** In force when it was asked. */
  readonly before: Version;
  /** In force now; in a dry run, what would be. */
  readonly version: Version;
  readonly snapshot: Snapshot;
  readonly changes: readonly ResourceChange[];
  /** In a dry run only. */
  readonly differences: readonly Difference[];
  readonly warnings: readonly Problem[];
}

export interface Rejected {
  readonly ok: false;
  /**
   * `invalid`: the set would not be valid. `forbidden`: it is beyond `onlyTenant`. `conflict`: another process has written this store. `stale`: none of
   * `ifVersions` is in force. `unknown`: there is no such version to go back to.
   */
  readonly reason: "invalid" | "forbidden" | "conflict" | "stale" | "unknown";
  /** In force when it was asked, and now. */
  readonly before: Version;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export type ApplyResult = Accepted | Rejected;

export interface StoreOptions {
  /** Made if it is not there. */
  readonly directory: string;
  readonly compiler: Compiler;
  /** The names of NameLists; by default nobody reads them. */
  readonly lists?: ListSource;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  /**
   * Sequence number of the first set in an empty directory; 1 by default. Workers take no number below one that they
   * have seen, so a service whose directory may be lost while Envoys run passes milliseconds of the wall clock.
   */
  readonly firstSequence?: number;
}

/** Of what this process finds or does without being asked. */
const SERVICE: Author = { name: "dnspolicy", by: "service" };

/** Rejects for a directory that cannot be written, and for a stored set that is not valid. */
export async function openStore(options: StoreOptions): Promise<PolicyStore> {
  const { directory, compiler, firstSequence = 1 } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await removeTemporary(directory);
  const state = await readState(directory);
  const result = await compiler.compile(state === undefined ? [] : [{ name: STATE_FILE, text: state.text }]);
  if (!result.ok) {
    throw new Error(`the stored policy is not valid:\n${result.problems.map(formatProblem).join("\n")}`);
  }
  const opened = { version: openedVersion(options, state, result, firstSequence), text: result.text };
  if (state === undefined || !sameState(state, opened)) await writeState(directory, opened);
  const store = new DirectoryStore(options, await History.open(directory, opened));
  await store.open(result, opened.version.sequence);
  return store;
}

/** A set that reads otherwise than it was written, after an edit by hand or an update, is a new version. */
function openedVersion(
  { now }: StoreOptions,
  state: State | undefined,
  { policy }: Compiled,
  firstSequence: number,
): Version {
  const { hash } = policy.tables;
  if (state?.version.hash === hash) return state.version;
  const time = new Date(now()).toISOString();
  if (state === undefined) return { sequence: firstSequence, hash, time, author: SERVICE, reason: "an empty store" };
  const reason = `found in ${STATE_FILE}: edited by hand, or read otherwise by this release`;
  return { sequence: state.version.sequence + 1, hash, time, author: SERVICE, reason };
}

class DirectoryStore implements PolicyStore {
  readonly #options: StoreOptions;
  readonly #history: History;
  readonly #lists: ListSource;
  readonly #inForce = new InForce();
  #listDigest = "";
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: StoreOptions, history: History) {
    this.#options = options;
    this.#history = history;
    this.#lists = options.lists ?? NO_LISTS;
  }

  async open(compiled: Compiled, sequence: number): Promise<void> {
    this.#enforce(compiled, sequence, await this.#lists.prepare(compiled.policy.tables.lists));
    this.#lists.onChange(() => void this.#inTurn(() => this.#renew()).catch(() => undefined));
  }

  #enforce(compiled: Compiled, sequence: number, { tables, digest }: ReadTables): Snapshot {
    const snapshot = loadSnapshot(compiled.policy, sequence, tables, digest);
    this.#listDigest = digest;
    this.#lists.follow(compiled.policy.tables.lists);
    this.#inForce.swap(snapshot, compiled.text, compiled.warnings);
    return snapshot;
  }

  /** The version is the same, and workers have to judge anew. */
  async #renew(): Promise<void> {
    const { text, warnings } = this.#inForce;
    const snapshot = this.current();
    const { tables, digest } = this.#lists.read(snapshot.tables.lists);
    if (digest === this.#listDigest) return;
    this.#listDigest = digest;
    this.#inForce.swap(renewSnapshot(snapshot, tables, digest), text, warnings);
  }

  current(): Snapshot {
    const { snapshot } = this.#inForce;
    if (snapshot === undefined) throw new Error("expected an opened store, got one without a policy");
    return snapshot;
  }

  status(): SourceStatus {
    return {
      ...this.#inForceVersion(),
      mode: "store",
      directory: this.#options.directory,
      warnings: this.#inForce.warnings,
      problems: [],
    };
  }

  onChange(listener: (snapshot: Snapshot) => void): () => void {
    return this.#inForce.onChange(listener);
  }

  resources(): readonly StoredResource[] {
    return this.#inForce.resources();
  }

  consider(request: TenantRequest, lists: NamedTables, text = this.#inForce.text): Promise<readonly ConsideredRule[]> {
    return this.#options.compiler.consider([{ name: STATE_FILE, text }], request, lists);
  }

  lint(): Promise<readonly Finding[]> {
    return this.#inForce.findings((text) => this.#options.compiler.lint([{ name: STATE_FILE, text }]));
  }

  imagine(change: Change): Promise<Imagined | Refused> {
    const { compiler } = this.#options;
    const base = { name: STATE_FILE, text: this.#inForce.text };
    return imagine({ compiler, lists: this.#lists }, base, change, this.#inForce.snapshot);
  }

  versions(): readonly Version[] {
    return this.#history.versions;
  }

  async version(sequence: number): Promise<VersionContent | undefined> {
    const state = await this.#history.read(sequence);
    if (state === undefined) return undefined;
    return { version: state.version, resources: splitListing(Buffer.from(state.text).toString("utf8")) };
  }

  apply(change: Change, options: ApplyOptions = {}): Promise<ApplyResult> {
    return this.#inTurn(() => this.#apply(change, options, {}));
  }

  rollback(sequence: number, options: ApplyOptions = {}): Promise<ApplyResult> {
    return this.#inTurn(async () => {
      const old = await this.#history.read(sequence);
      if (old === undefined) {
        const kept = this.versions().map((version) => version.sequence);
        const expected = `one of the ${kept.length} versions from ${kept.at(-1)} to ${kept[0]}`;
        return this.#reject("unknown", `expected ${expected}, got ${sequence}`);
      }
      const upsert = [{ name: `version ${sequence}`, text: old.text }];
      return this.#apply({ upsert, prune: true }, options, { restores: sequence });
    });
  }

  /** Changes that were begun are finished. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.#closed) throw new Error("expected an open store, got a closed one");
      return task();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #apply(
    change: Change,
    { dryRun = false, author = SERVICE, reason = "", ifVersions }: ApplyOptions,
    more: Pick<VersionRecord, "restores">,
  ): Promise<ApplyResult> {
    const before = this.#inForceVersion();
    if (ifVersions !== undefined && !ifVersions.includes(before.sequence)) {
      const wanted = ifVersions.length === 0 ? "another version" : `version ${ifVersions.join(" or ")}`;
      return this.#reject("stale", `expected ${wanted} in force, got version ${before.sequence}`);
    }
    const base = [{ name: STATE_FILE, text: this.#inForce.text }];
    const asked = { ...change, explain: dryRun };
    const result: CompileResult = await this.#options.compiler.compile(base, asked, before.sequence + 1);
    const { warnings } = result;
    if (!result.ok)
      return {
        ok: false,
        reason: result.forbidden ? "forbidden" : "invalid",
        before,
        problems: result.problems,
        warnings,
      };
    const { hash } = result.policy.tables;
    const changed = hash !== before.hash;
    const time = new Date(this.#options.now()).toISOString();
    const record = { time, author, reason, ...more, counts: countChanges(result.changes) };
    const version = changed ? { sequence: before.sequence + 1, hash, ...record } : before;
    const { changes, differences } = result;
    const accepted = { ok: true, changed, before, version, changes, differences, warnings } as const;
    if (dryRun) return { ...accepted, snapshot: this.current() };
    const next: State = { version, text: result.text };
    const present: State = { version: before, text: this.#inForce.text };
    if (sameState(present, next)) return { ...accepted, snapshot: this.current() };
    // Two writers on one directory would give one number to two sets.
    const stored = await readState(this.#options.directory);
    if (stored === undefined || !sameState(stored, present)) {
      const found = stored === undefined ? "none" : `sequence ${stored.version.sequence}, hash ${stored.version.hash}`;
      const wrote = `sequence ${before.sequence}, hash ${before.hash}`;
      const message = `expected the state that this process wrote (${wrote}), got ${found}: a store has one writer`;
      return this.#reject("conflict", message);
    }
    const lists = await this.#lists.prepare(result.policy.tables.lists);
    if (changed) await this.#history.write(next);
    await writeState(this.#options.directory, next);
    if (!changed) {
      this.#inForce.reword(result.text, warnings);
      return { ...accepted, snapshot: this.current() };
    }
    const committed = this.#history.commit(version);
    const snapshot = this.#enforce(result, version.sequence, lists);
    await committed;
    return { ...accepted, snapshot };
  }

  #inForceVersion(): Version {
    const [version] = this.#history.versions;
    if (version === undefined) throw new Error("expected an opened store, got one without a version");
    return version;
  }

  #reject(reason: Rejected["reason"], message: string): Rejected {
    const problem = { source: STATE_FILE, document: 0, line: 0, path: "", message };
    return { ok: false, reason, before: this.#inForceVersion(), problems: [problem], warnings: [] };
  }
}

function countChanges(changes: readonly ResourceChange[]): NonNullable<VersionRecord["counts"]> {
  const count = (wanted: ResourceChange["change"]) => changes.filter(({ change }) => change === wanted).length;
  return { created: count("created"), updated: count("updated"), deleted: count("deleted") };
}

function sameState(a: State, b: State): boolean {
  if (a.version.sequence !== b.version.sequence || a.version.hash !== b.version.hash) return false;
  return Buffer.compare(a.text, b.text) === 0;
}
