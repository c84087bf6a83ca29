/**
 * The store of the one writer: a directory with one state file (state-file.ts).
 *
 * A change is validated as a whole in the compiling thread, then on disk, then in force, in this order: what was in
 * force once is there after any crash, under the same sequence number. The number grows by one with every change of
 * what the set says; a change of comments alone keeps it.
 */
import { mkdir } from "node:fs/promises";
import type { Change, Compiled, CompileResult } from "../compile/change.ts";
import type { Compiler } from "../compile/compiler.ts";
import { loadSnapshot, type Snapshot } from "../compiled/snapshot.ts";
import { formatProblem } from "../resources/problem.ts";
import { InForce } from "./in-force.ts";
import type { ApplyResult, PolicySource, SourceStatus, StoredResource } from "./policy-source.ts";
import { readState, removeTemporary, STATE_FILE, type State, writeState } from "./state-file.ts";

export interface PolicyStore extends PolicySource {
  current(): Snapshot;
  /** Validated as a whole, stored, then in force; or nothing happens. Calls are done one after the other. */
  apply(change: Change, options?: { readonly dryRun?: boolean }): Promise<ApplyResult>;
}

export interface StoreOptions {
  /** Made if it is not there. */
  readonly directory: string;
  readonly compiler: Compiler;
  /**
   * Sequence number of the first set in an empty directory; 1 by default. Workers take no number below one that they
   * have seen, so a service whose directory may be lost while Envoys run passes milliseconds of the wall clock.
   */
  readonly firstSequence?: number;
}

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
  const hash = result.policy.tables.hash;
  // A set that reads otherwise than it was written, after an edit by hand or an update, is a new one.
  const sequence = state === undefined ? firstSequence : state.hash === hash ? state.sequence : state.sequence + 1;
  const opened = { sequence, hash, text: result.text };
  if (state === undefined || !sameState(state, opened)) await writeState(directory, opened);
  const store = new DirectoryStore(directory, compiler);
  store.enforce(result, sequence);
  return store;
}

class DirectoryStore implements PolicyStore {
  readonly #directory: string;
  readonly #compiler: Compiler;
  readonly #inForce = new InForce();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(directory: string, compiler: Compiler) {
    this.#directory = directory;
    this.#compiler = compiler;
  }

  enforce(compiled: Compiled, sequence: number): Snapshot {
    const snapshot = loadSnapshot(compiled.policy, sequence);
    this.#inForce.swap(snapshot, compiled.text, compiled.warnings);
    return snapshot;
  }

  current(): Snapshot {
    const { snapshot } = this.#inForce;
    if (snapshot === undefined) throw new Error("expected an opened store, got one without a policy");
    return snapshot;
  }

  status(): SourceStatus {
    const { sequence, hash } = this.current();
    return {
      mode: "store",
      directory: this.#directory,
      sequence,
      hash,
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

  apply(change: Change, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<ApplyResult> {
    const turn = this.#last.then(() => this.#apply(change, dryRun));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Changes that were begun are finished. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  async #apply(change: Change, dryRun: boolean): Promise<ApplyResult> {
    if (this.#closed) throw new Error("expected an open store, got a closed one");
    const before = this.current();
    const base = [{ name: STATE_FILE, text: this.#inForce.text }];
    const result: CompileResult = await this.#compiler.compile(base, change);
    const { warnings } = result;
    if (!result.ok) return { ok: false, reason: "invalid", problems: result.problems, warnings };
    const hash = result.policy.tables.hash;
    const changed = hash !== before.hash;
    const sequence = changed ? before.sequence + 1 : before.sequence;
    const accepted = { ok: true, changed, sequence, hash, changes: result.changes, warnings } as const;
    if (dryRun) return { ...accepted, snapshot: before };
    const next: State = { sequence, hash, text: result.text };
    const present: State = { sequence: before.sequence, hash: before.hash, text: this.#inForce.text };
    if (sameState(present, next)) return { ...accepted, snapshot: before };
    // Two writers on one directory would give one number to two sets.
    const stored = await readState(this.#directory);
    if (stored === undefined || !sameState(stored, present)) {
      const found = stored === undefined ? "none" : `sequence ${stored.sequence}, hash ${stored.hash}`;
      const message = `expected the state that this process wrote (sequence ${before.sequence}, hash ${before.hash}), got ${found}: a store has one writer`;
      const problem = { source: STATE_FILE, document: 0, line: 0, path: "", message };
      return { ok: false, reason: "conflict", problems: [problem], warnings };
    }
    await writeState(this.#directory, next);
    if (changed) return { ...accepted, snapshot: this.enforce(result, sequence) };
    this.#inForce.reword(result.text, warnings);
    return { ...accepted, snapshot: before };
  }
}

function sameState(a: State, b: State): boolean {
  return a.sequence === b.sequence && a.hash === b.hash && Buffer.compare(a.text, b.text) === 0;
}
