/**
 * A directory of YAML that somebody else writes: a ConfigMap mount, a checkout, or the store of the one writer.
 *
 * It is read when the file system says that something happened, and now and then for file systems that say nothing.
 * Only its content counts: the same content again is nothing new, content that is not valid leaves the last good
 * policy in force and is told in the status, and so is a directory that has become empty, which a mount does that
 * was lost.
 *
 * Sequence numbers. Replicas of the service have to give one set the same number, or workers would take the decisions
 * of one replica for older than the revision of another.
 *  - On the store of a writer, the number is the writer's, from the state file: replicas agree.
 *  - Elsewhere it is the newest modification time of the files in milliseconds, or the last number + 1 where that is
 *    not greater. Replicas on one file system agree, also after a restart. Replicas that each have their own copy, as
 *    with ConfigMaps on several nodes, do not: an Envoy must then use one of them at a time (priorities, not round
 *    robin, between the endpoints of cluster policy_service).
 * The hash agrees everywhere, so a set that merely changed its number is known to say the same.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Change, CompileResult, Refused } from "../compile/change.ts";
import type { Compiler } from "../compile/compiler.ts";
import type { NamedTables } from "../compiled/name-table.ts";
import { loadSnapshot, renewSnapshot, type Snapshot } from "../compiled/snapshot.ts";
import type { ConsideredRule, TenantRequest } from "../explain/rules.ts";
import { type ListSource, NO_LISTS } from "../lists/list-source.ts";
import type { MeshRoom } from "../mesh/mesh-room.ts";
import type { Problem } from "../resources/problem.ts";
import { imagine } from "./imagine.ts";
import { InForce } from "./in-force.ts";
import type { Imagined, PolicySource, SourceStatus, StoredResource } from "./policy-source.ts";
import { type DirectoryContent, readDirectory } from "./read-directory.ts";

export interface WatchedDirectory extends PolicySource {
  /** Reads the directory now; resolved when what was there at the call has been judged. */
  refresh(): Promise<void>;
}

export interface WatchOptions {
  readonly directory: string;
  readonly compiler: Compiler;
  /** The names of NameLists; by default nobody reads them. */
  readonly lists?: ListSource;
  /** Takes the objects of the mesh that the directory has. */
  readonly mesh?: MeshRoom;
  /** Reads the directory anew this often, for file systems without notification; 5000 by default, 0 for never. */
  readonly rescanMs?: number;
  /** Called when newer content was refused; the reasons are in status(). */
  readonly onRefused?: (problems: readonly Problem[]) => void;
}

/** Resolved when the directory was read once: whether that gave a policy is told by current(). */
export async function watchDirectory(options: WatchOptions): Promise<WatchedDirectory> {
  const watched = new DirectoryWatch(options);
  await watched.start();
  return watched;
}

const DEFAULT_RESCAN_MS = 5000;

class DirectoryWatch implements WatchedDirectory {
  readonly #options: WatchOptions;
  readonly #lists: ListSource;
  readonly #inForce = new InForce();
  /** Of the directory's content that is in force: workers may have been told a greater number since, for its lists. */
  #judged: { readonly sequence: number; readonly hash: string } | undefined;
  #listDigest = "";
  #problems: readonly Problem[] = [];
  #judgedDigest = "";
  /** Reads that are under way or asked for: at most one of each. */
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#lists = options.lists ?? NO_LISTS;
  }

  async start(): Promise<void> {
    const { directory, rescanMs = DEFAULT_RESCAN_MS } = this.#options;
    this.#watch(directory);
    if (rescanMs > 0) {
      this.#timer = setInterval(() => {
        // A directory that was not there, or was replaced, is not being watched.
        if (this.#watcher === undefined) this.#watch(directory);
        void this.refresh();
      }, rescanMs).unref();
    }
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
      directory: this.#options.directory,
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
    return this.#options.compiler.consider([{ name: this.#options.directory, text }], request, lists);
  }

  imagine(change: Change): Promise<Imagined | Refused> {
    const { compiler, directory } = this.#options;
    const base = { name: directory, text: this.#inForce.text };
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
    this.#watcher?.close();
    clearInterval(this.#timer);
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
    this.#inForce.swap(renewSnapshot(snapshot, snapshot.sequence + 1, tables), text, warnings);
  }

  #watch(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => void this.refresh());
      watcher.on("error", () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
      this.#watcher = watcher;
    } catch {
      // The rescan tries again, and refresh() says what is wrong with the directory.
      this.#watcher = undefined;
    }
  }

  async #read(): Promise<void> {
    try {
      await this.#judge(await readDirectory(this.#options.directory));
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
    const next = nextSequence(content, hash, this.#judged);
    if (typeof next === "string") {
      this.#refuse(next);
      return;
    }
    const { tables, digest: listDigest } = await this.#lists.prepare(result.policy.tables.lists);
    const renewed = this.#judged?.sequence !== next || listDigest !== this.#listDigest;
    const sequence =
      renewed && last !== undefined ? Math.max(next, last.sequence + 1) : Math.max(next, last?.sequence ?? 0);
    this.#judgedDigest = digest;
    this.#problems = [];
    if (read !== undefined) await mesh?.ask("apply", { set: read.objects, replace: true });
    this.#judged = { sequence: next, hash };
    this.#listDigest = listDigest;
    this.#lists.follow(result.policy.tables.lists);
    if (last?.sequence === sequence) this.#inForce.reword(result.text, result.warnings);
    else this.#inForce.swap(loadSnapshot(result.policy, sequence, tables), result.text, result.warnings);
  }

  /** The writer of a store counts generations; elsewhere they are counted from what was in force here. */
  #compile({ sources, sequence, modifiedMs }: DirectoryContent, last: Snapshot | undefined): Promise<CompileResult> {
    const { compiler } = this.#options;
    if (sequence !== undefined) return compiler.compile(sources);
    const revision = last === undefined ? Math.max(1, modifiedMs) : Math.max(last.sequence + 1, modifiedMs);
    const base = last === undefined ? [] : [{ name: this.#options.directory, text: this.#inForce.text }];
    return compiler.compile(base, { upsert: sources, prune: true }, revision);
  }

  /** Nothing about the content itself is wrong: it is judged again at the next read. */
  #refuse(message: string): void {
    this.#judgedDigest = "";
    if (this.#problems.length === 1 && this.#problems[0]?.message === message) return;
    this.#report([{ source: this.#options.directory, document: 0, line: 0, path: "", message }]);
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
  last: { readonly sequence: number; readonly hash: string } | undefined,
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
