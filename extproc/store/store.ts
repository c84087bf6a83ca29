/**
 * A store: the version in force and those before it, in a directory of this process (directory-versions.ts) or in etcd, where
 * others of their kind change it, too (etcd/etcd-versions.ts).
 *
 * A change is validated as a whole in the compiling thread, then stored, then in force, in this order: what was in
 * force once is there after any crash, under the same sequence number. The number grows by one with every change of
 * what the set says, and each number is a version; a change of comments alone keeps it, and the version as it was.
 * Other names in a list take none: workers are told of them beside the number (Revision.lists of sync.proto).
 */
import type { Change, Compiled, CompileResult, Refused, ResourceChange } from "../compile/change.ts";
import type { Compiler } from "../compile-thread/compiler.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import { loadSnapshot, renewSnapshot, type Snapshot } from "../compiled/snapshot.ts";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import type { Finding } from "../lint/finding.ts";
import { type ListSource, NO_LISTS, type ReadTables } from "../lists/list-source.ts";
import { splitListing } from "../resources/document-start.ts";
import { formatProblem, type Problem } from "../resources/problem.ts";
import { DirectoryVersions } from "./directory-versions.ts";
import { imagine } from "./imagine.ts";
import { InForce } from "./in-force.ts";
import type { Imagined, SourceStatus, StoredResource } from "./policy-source.ts";
import type { ApplyOptions, ApplyResult, PolicyStore, Rejected, VersionContent } from "./policy-store.ts";
import { STATE_FILE, type State, sameState } from "./state-file.ts";
import type { Author, Version, VersionRecord } from "./version.ts";
import type { VersionStorage } from "./version-storage.ts";

export interface StoreParts {
  readonly compiler: Compiler;
  /** The names of NameLists; by default nobody reads them. */
  readonly lists?: ListSource;
  /** Milliseconds of the wall clock. */
  readonly now: () => number;
  /**
   * Sequence number of the first set in an empty store; 1 by default. Workers take no number below one that they
   * have seen, so a service whose store may be lost while Envoys run passes milliseconds of the wall clock.
   */
  readonly firstSequence?: number;
}

export interface StoreOptions extends StoreParts {
  /** Made if it is not there. */
  readonly directory: string;
}

export interface SharedStoreOptions extends StoreParts {
  /** `first` is in force where nothing is. */
  readonly openVersions: (first: () => Promise<State>) => Promise<VersionStorage>;
  /** Called when what another has written is refused; the reasons are in status(). */
  readonly onRefused?: (problems: readonly Problem[]) => void;
}

/** Of what this process finds or does without being asked. */
const SERVICE: Author = { name: "dnspolicy", by: "service" };

/** Rejects for a directory that cannot be written, and for a stored set that is not valid. */
export async function openStore(options: StoreOptions): Promise<PolicyStore> {
  let compiled: Compiled | undefined;
  const versions = await DirectoryVersions.open(options.directory, async (state) => {
    compiled = await compileStored(options, state);
    return { version: openedVersion(options, state, compiled), text: compiled.text };
  });
  return openWith(options, versions, compiled ?? (await compileStored(options, undefined)));
}

/** A store that others write, too: what they write is in force here, and they have what is written here. */
export async function openSharedStore({ openVersions, ...options }: SharedStoreOptions): Promise<PolicyStore> {
  const versions = await openVersions(async () => {
    const compiled = await compileStored(options, undefined);
    return { version: openedVersion(options, undefined, compiled), text: compiled.text };
  });
  const state = await versions.shared?.news();
  return openWith(options, versions, await compileStored(options, state));
}

async function openWith(
  options: StoreParts & Pick<SharedStoreOptions, "onRefused">,
  versions: VersionStorage,
  compiled: Compiled,
): Promise<PolicyStore> {
  const store = new VersionedStore(options, versions);
  await store.open(compiled);
  return store;
}

async function compileStored({ compiler }: StoreParts, state: State | undefined): Promise<Compiled> {
  const result = await compiler.compile(state === undefined ? [] : [{ name: STATE_FILE, text: state.text }]);
  if (result.ok) return result;
  throw new Error(`the stored policy is not valid:\n${result.problems.map(formatProblem).join("\n")}`);
}

/** A set that reads otherwise than it was written, after an edit by hand or an update, is a new version. */
function openedVersion(
  { now, firstSequence = 1 }: StoreParts,
  state: State | undefined,
  { policy }: Compiled,
): Version {
  const { hash } = policy.tables;
  if (state?.version.hash === hash) return state.version;
  const time = new Date(now()).toISOString();
  if (state === undefined) return { sequence: firstSequence, hash, time, author: SERVICE, reason: "an empty store" };
  const reason = `found in ${STATE_FILE}: edited by hand, or read otherwise by this release`;
  return { sequence: state.version.sequence + 1, hash, time, author: SERVICE, reason };
}

class VersionedStore implements PolicyStore {
  readonly #options: StoreParts & Pick<SharedStoreOptions, "onRefused">;
  readonly #versions: VersionStorage;
  readonly #lists: ListSource;
  readonly #inForce = new InForce();
  #listDigest = "";
  /** Why what another has written is not in force. */
  #problems: readonly Problem[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #following = false;
  #closed = false;

  constructor(options: StoreParts & Pick<SharedStoreOptions, "onRefused">, versions: VersionStorage) {
    this.#options = options;
    this.#versions = versions;
    this.#lists = options.lists ?? NO_LISTS;
  }

  async open(compiled: Compiled): Promise<void> {
    const { sequence } = this.#inForceVersion();
    this.#enforce(compiled, sequence, await this.#lists.prepare(compiled.policy.tables.lists));
    this.#lists.onChange(() => void this.#inTurn(() => this.#renew()).catch(() => undefined));
    this.#versions.shared?.onChange(() => this.#followLater());
  }

  #followLater(): void {
    if (this.#following) return;
    this.#following = true;
    this.#inTurn(() => {
      this.#following = false;
      return this.#follow();
    }).catch(() => undefined);
  }

  /** What others have written is in force here when this is resolved; or is not, for the reasons in #problems. */
  async #follow(): Promise<void> {
    const state = await this.#versions.shared?.news();
    if (state === undefined || this.#closed) return;
    const { version, text } = state;
    const { sequence, hash } = this.current();
    if (sequence === version.sequence && Buffer.compare(text, this.#inForce.text) === 0) {
      this.#problems = [];
      return;
    }
    const result = await this.#options.compiler.compile([{ name: STATE_FILE, text }]);
    if (!result.ok) {
      this.#refuse(result.problems);
      return;
    }
    const found = result.policy.tables.hash;
    if (version.sequence < sequence || (version.sequence === sequence && found !== hash)) {
      const message = `expected a number above ${sequence}, which is in force, got ${version.sequence}: what is stored was made anew`;
      this.#refuse([problemOf(message)]);
      return;
    }
    this.#problems = [];
    if (version.sequence === sequence) this.#inForce.reword(result.text, result.warnings);
    else this.#enforce(result, version.sequence, await this.#lists.prepare(result.policy.tables.lists));
  }

  #refuse(problems: readonly Problem[]): void {
    const isKnown = problems.every(({ message }, index) => this.#problems[index]?.message === message);
    if (!isKnown) this.#options.onRefused?.(problems);
    this.#problems = problems;
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
    const { sequence, hash } = this.current();
    const { trouble, name } = this.#versions;
    return {
      ...this.#inForceVersion(),
      ...{ sequence, hash },
      mode: "store",
      directory: name,
      warnings: this.#inForce.warnings,
      problems: [...(trouble === "" ? [] : [problemOf(trouble)]), ...this.#problems],
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
    return this.#versions.versions;
  }

  async version(sequence: number): Promise<VersionContent | undefined> {
    const state = await this.#versions.read(sequence);
    if (state === undefined) return undefined;
    return { version: state.version, resources: splitListing(Buffer.from(state.text).toString("utf8")) };
  }

  apply(change: Change, options: ApplyOptions = {}): Promise<ApplyResult> {
    return this.#inTurn(() => this.#apply(change, options, {}));
  }

  rollback(sequence: number, options: ApplyOptions = {}): Promise<ApplyResult> {
    return this.#inTurn(async () => {
      const old = await this.#versions.read(sequence);
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
    await this.#versions.close();
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
    // A change is of what is in force everywhere.
    const failure = await this.#follow().catch((error: Error) => error);
    if (failure instanceof Error) return this.#reject("unavailable", `${this.#versions.name}: ${failure.message}`);
    const before = this.#inForceVersion();
    if (this.#problems.length > 0) {
      return { ok: false, reason: "conflict", before, problems: this.#problems, warnings: [] };
    }
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
    const lists = await this.#lists.prepare(result.policy.tables.lists);
    const conflict = await this.#versions.replace(present, next).catch((error: Error) => error);
    if (conflict !== undefined) {
      this.#lists.follow(this.current().tables.lists);
      if (conflict instanceof Error && this.#versions.shared === undefined) throw conflict;
      return conflict instanceof Error
        ? this.#reject("unavailable", `${this.#versions.name}: ${conflict.message}`)
        : this.#reject("conflict", conflict);
    }
    if (changed) return { ...accepted, snapshot: this.#enforce(result, version.sequence, lists) };
    this.#inForce.reword(result.text, warnings);
    return { ...accepted, snapshot: this.current() };
  }

  #inForceVersion(): Version {
    const [version] = this.#versions.versions;
    if (version === undefined) throw new Error("expected an opened store, got one without a version");
    return version;
  }

  #reject(reason: Rejected["reason"], message: string): Rejected {
    return { ok: false, reason, before: this.#inForceVersion(), problems: [problemOf(message)], warnings: [] };
  }
}

function countChanges(changes: readonly ResourceChange[]): NonNullable<VersionRecord["counts"]> {
  const count = (wanted: ResourceChange["change"]) => changes.filter(({ change }) => change === wanted).length;
  return { created: count("created"), updated: count("updated"), deleted: count("deleted") };
}

/** Of the store, and not of a place in it. */
function problemOf(message: string): Problem {
  return { source: STATE_FILE, document: 0, line: 0, path: "", message };
}
