/**
 * A policy store that keeps nothing on disk and compiles at once.
 */
import type { Change, Source } from "../../../extproc/compile/change.ts";
import { CompileJobs } from "../../../extproc/compile/job.ts";
import { loadSnapshot, type Snapshot } from "../../../extproc/compiled/snapshot.ts";
import { InForce } from "../../../extproc/store/in-force.ts";
import type { ApplyResult, SourceStatus, StoredResource } from "../../../extproc/store/policy-source.ts";
import type { PolicyStore } from "../../../extproc/store/store.ts";

export class MemoryStore implements PolicyStore {
  readonly #jobs = new CompileJobs();
  readonly #inForce = new InForce();
  /** As if another process had written the store. */
  conflict = false;

  constructor(text: string, sequence = 1) {
    const result = this.#jobs.run([{ name: "start", text }], undefined);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    this.#inForce.swap(loadSnapshot(result.policy, sequence), result.text, []);
  }

  current(): Snapshot {
    const { snapshot } = this.#inForce;
    if (snapshot === undefined) throw new Error("expected a policy");
    return snapshot;
  }

  status(): SourceStatus {
    const { sequence, hash } = this.current();
    return { mode: "store", directory: "memory", sequence, hash, warnings: [], problems: [] };
  }

  onChange(listener: (snapshot: Snapshot) => void): () => void {
    return this.#inForce.onChange(listener);
  }

  resources(): readonly StoredResource[] {
    return this.#inForce.resources();
  }

  async apply(change: Change, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<ApplyResult> {
    const base: Source[] = [{ name: "memory", text: this.#inForce.text }];
    const result = this.#jobs.run(base, change);
    const { warnings } = result;
    if (!result.ok) return { ok: false, reason: "invalid", problems: result.problems, warnings };
    if (this.conflict) return { ok: false, reason: "conflict", problems: [], warnings };
    const before = this.current();
    const { hash } = result.policy.tables;
    const changed = hash !== before.hash;
    const sequence = changed ? before.sequence + 1 : before.sequence;
    const accepted = { ok: true, changed, sequence, hash, changes: result.changes, warnings } as const;
    if (dryRun || !changed) return { ...accepted, snapshot: before };
    const snapshot = loadSnapshot(result.policy, sequence);
    this.#inForce.swap(snapshot, result.text, warnings);
    return { ...accepted, snapshot };
  }

  async close(): Promise<void> {}
}
