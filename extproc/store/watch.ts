/**
 * A policy that somebody else writes: a directory of YAML (a ConfigMap mount, a checkout, or the store of the one
 * writer), or what the leader of several services has put in force.
 *
 * It is read when its place says that something happened, and now and then for file systems that say nothing.
 * Only its content counts: the same content again is nothing new, content that is not valid leaves the last good
 * policy in force and is told in the status, and so is a directory that has become empty, which a mount does that
 * was lost.
 *
 * Sequence numbers. Replicas of the service have to give one set the same number, or workers would take the decisions
 * of one replica for older than the revision of another.
 *  - Where one writes for all, the number is the writer's, from its state: replicas agree.
 *  - Elsewhere it is the newest modification time of the files in milliseconds, or the last number + 1 where that is
 *    not greater. Replicas on one file system agree, also after a restart. Replicas that each have their own copy, as
 *    with ConfigMaps on several nodes, do not: an Envoy must then use one of them at a time.
 * The hash agrees everywhere, so a set that merely changed its number is known to say the same.
 * What each has read of NameLists may differ for a while: that is in no number, but told beside it (Revision.lists).
 */
import type { Change, CompileResult, Refused } from "../compile/change.ts";
import type { Compiler } from "../compile-thread/compiler.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import { loadSnapshot, renewSnapshot, type Snapshot } from "../compiled/snapshot.ts";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import type { Finding } from "../lint/finding.ts";
import { type ListSource, NO_LISTS } from "../lists/list-source.ts";
import type { MeshRoom } from "../mesh/mesh-room.ts";
import type { Problem } from "../resources/problem.ts";
import { imagine } from "./imagine.ts";
import { InForce } from "./in-force.ts";
import type { Imagined, PolicySource, SourceStatus, StoredResource } from "./policy-source.ts";
import { type DirectoryContent, readDirectory } from "./read-directory.ts";
import { watchFiles } from "./watch-files.ts";

export interface WatchedPolicy extends PolicySource {
  /** Reads the policy now; resolved when what was there at the call has been judged. */
  refresh(): Promise<void>;
}

/** Where the policy is. */
export interface WatchedPlace {
  /** For people. */
  readonly name: string;
  /** Rejects where there is nothing to read. */
  read(): Promise<DirectoryContent>;
  /** Calls when something may have happened. Returns how to stop. */
  watch(task: () => void): () => void;
}

interface CommonOptions {
  readonly compiler: Compiler;
  /** The names of NameLists; by default nobody reads them. */
  readonly lists?: ListSource;
  /** Takes the objects of the mesh that stand beside the policy. */
  readonly mesh?: MeshRoom;
  /** Called when newer content was refused; the reasons are in status(). */
  readonly onRefused?: (problems: readonly Problem[]) => void;
}

export interface WatchOptions extends CommonOptions {
  readonly place: WatchedPlace;
}

export interface WatchDirectoryOptions extends CommonOptions {
  readonly directory: string;
  /** Reads the directory anew this often, for file systems without notification; 5000 by default, 0 for never. */
  readonly rescanMs?: number;
}

const DEFAULT_RESCAN_MS = 5000;

/** Resolved when the place was read once: whether that gave a policy is told by current(). */
export async function watchPolicy(options: WatchOptions): Promise<WatchedPolicy> {
  const watched = new PolicyWatch(options);
  await watched.start();
  return watched;
}

export function watchDirectory(options: WatchDirectoryOptions): Promise<WatchedPolicy> {
  const { directory, rescanMs = DEFAULT_RESCAN_MS, ...common } = options;
  const place: WatchedPlace = {
    name: directory,
    read: () => readDirectory(directory),
    watch: (task) => watchFiles(directory, rescanMs, task),
  };
  return watchPolicy({ ...common, place });
}

class PolicyWatch implements WatchedPolicy {
  readonly #options: WatchOptions;
  readonly #lists: ListSource;
  readonly #inForce = new InForce();
  #listDigest = "";
  #problems: readonly Problem[] = [];
  #judgedDigest = "";
  /** Reads that are under way or asked for: at most one of each. */
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #stopWatching: () => void = () => {};
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#lists = options.lists ?? NO_LISTS;
  }

  async start(): Promise<void> {
    this.#stopWatching = this.#options.place.watch(() => void this.refresh());
    await this.refresh();
    this.#lists.onChange(() => void this.#renew());
  }

  current(): Snapshot | undefined {
    return this.#inForce.snapshot;
  }

  status(): SourceStatus {
    const snapshot = this.#inForce.snapshot;
    return {
      mode: "watch",
      directory: this.#options.place.name,
      sequence: snapshot?.sequence ?? 0,
      hash: snapshot?.hash ?? "",
      warnings: this.#inForce.warnings,
      problems: this.#problems,
    };
  }

  onChange(listener: (snapshot: Snapshot) => void): () => void {
    return this.#inForce.onChange(listener);
  }

  resources(): readonly StoredResource[] {
    return this.#inForce.resources();
  }

  consider(request: TenantRequest, lists: NamedTables, text = this.#inForce.text): Promise<readonly ConsideredRule[]> {
    return this.#options.compiler.consider([{ name: this.#options.place.name, text }], request, lists);
  }

  lint(): Promise<readonly Finding[]> {
    return this.#inForce.findings((text) => this.#options.compiler.lint([{ name: this.#options.place.name, text }]));
  }

  imagine(change: Change): Promise<Imagined | Refused> {
    const { compiler, place } = this.#options;
    const base = { name: place.name, text: this.#inForce.text };
    return imagine({ compiler, lists: this.#lists }, base, change, this.#inForce.snapshot);
  }

  /** However many calls come during a read, one more read answers them all. */
  refresh(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    if (this.#reading === undefined) {
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
      });
      return this.#reading;
    }
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined;
      return this.refresh();
    });
    return this.#next;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopWatching();
    await this.#reading;
  }

  /** After a read that is under way: that takes the lists as they are now. */
  async #renew(): Promise<void> {
    await this.#reading;
    const { snapshot, text, warnings } = this.#inForce;
    if (snapshot === undefined || this.#closed) return;
    const { tables, digest } = this.#lists.read(snapshot.tables.lists);
    if (digest === this.#listDigest) return;
    this.#listDigest = digest;
    this.#inForce.swap(renewSnapshot(snapshot, tables, digest), text, warnings);
  }

  async #read(): Promise<void> {
    try {
      await this.#judge(await this.#options.place.read());
    } catch (error) {
      this.#refuse(error instanceof Error ? error.message : String(error));
    }
  }

  async #judge(content: DirectoryContent): Promise<void> {
    // A number comes of the time too: a replica that starts later has only this one to go by.
    const digest = `${content.digest} ${content.modifiedMs}`;
    if (digest === this.#judgedDigest) return;
    // An empty file is one that somebody is about to write; a store may be empty.
    if (content.sequence === undefined && content.sources.every(({ text }) => text.length === 0)) {
      this.#refuse("expected YAML files, got none");
      return;
    }
    const { mesh, compiler } = this.#options;
    const read = mesh && (await compiler.readObjects(content.sources));
    if (read !== undefined && read.problems.length > 0) {
      this.#judgedDigest = digest;
      this.#report(read.problems);
      return;
    }
    const last = this.#inForce.snapshot;
    const result = await this.#compile(content, last);
    if (this.#closed) return;
    if (!result.ok) {
      this.#judgedDigest = digest;
      this.#report(result.problems);
      return;
    }
    const { hash } = result.policy.tables;
    const next = nextSequence(content, hash, last);
    if (typeof next === "string") {
      this.#refuse(next);
      return;
    }
    const { tables, digest: listDigest } = await this.#lists.prepare(result.policy.tables.lists);
    const isSame = last?.sequence === next && listDigest === this.#listDigest;
    this.#judgedDigest = digest;
    this.#problems = [];
    if (read !== undefined) await mesh?.ask("apply", { set: read.objects, replace: true });
    this.#listDigest = listDigest;
    this.#lists.follow(result.policy.tables.lists);
    if (isSame) this.#inForce.reword(result.text, result.warnings);
    else this.#inForce.swap(loadSnapshot(result.policy, next, tables, listDigest), result.text, result.warnings);
  }

  /** The writer of a store counts generations; elsewhere they are counted from what was in force here. */
  #compile({ sources, sequence, modifiedMs }: DirectoryContent, last: Snapshot | undefined): Promise<CompileResult> {
    const { compiler } = this.#options;
    if (sequence !== undefined) return compiler.compile(sources);
    const revision = last === undefined ? Math.max(1, modifiedMs) : Math.max(last.sequence + 1, modifiedMs);
    const base = last === undefined ? [] : [{ name: this.#options.place.name, text: this.#inForce.text }];
    return compiler.compile(base, { upsert: sources, prune: true }, revision);
  }

  /** Nothing about the content itself is wrong: it is judged again at the next read. */
  #refuse(message: string): void {
    this.#judgedDigest = "";
    if (this.#problems.length === 1 && this.#problems[0]?.message === message) return;
    this.#report([{ source: this.#options.place.name, document: 0, line: 0, path: "", message }]);
  }

  #report(problems: readonly Problem[]): void {
    this.#problems = problems;
    this.#options.onRefused?.(problems);
  }
}

/** The number of valid content, or why it can have none. */
function nextSequence(
  content: DirectoryContent,
  hash: string,
  last: Pick<Snapshot, "sequence" | "hash"> | undefined,
): number | string {
  const written = content.sequence;
  if (written === undefined) {
    if (last === undefined) return Math.max(1, content.modifiedMs);
    return Math.max(hash === last.hash ? last.sequence : last.sequence + 1, content.modifiedMs);
  }
  if (last === undefined || written > last.sequence) return written;
  if (written === last.sequence && hash === last.hash) return written;
  const got = `sequence ${written} and hash ${hash}`;
  return `expected a sequence above ${last.sequence} for other content than hash ${last.hash}, got ${got}`;
}
