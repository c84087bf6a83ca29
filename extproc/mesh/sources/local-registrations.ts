/**
 * Registrations of one service: in memory, and in a file where there is one; after a restart each has its whole TTL to beat
 * again.
 */
import { ObjectJournal } from "./journal.ts";
import { type ObjectKey, type ObjectOf, pathOf } from "./object.ts";
import { ObjectStore } from "./object-store.ts";
import { ttlOfRegistration } from "./registration.ts";
import type { KeptRegistrations } from "./registrations.ts";

export class LocalRegistrations implements KeptRegistrations {
  readonly objects = new ObjectStore();
  readonly #journal: ObjectJournal | undefined;
  /** Milliseconds since 1970. */
  readonly #now: () => number;
  /** Until when each holds, by `NAMESPACE/NAME`. */
  readonly #until = new Map<string, number>();

  /** An Error for a file that this has not written. */
  static async open(path: string | undefined, now: () => number): Promise<LocalRegistrations> {
    if (path === undefined) return new LocalRegistrations(undefined, now);
    const { journal, objects } = await ObjectJournal.open(path);
    const registrations = new LocalRegistrations(journal, now);
    registrations.objects.apply({ set: objects });
    for (const entry of registrations.objects.list("WorkloadEntry")) {
      registrations.#beat(entry, ttlOfRegistration(entry) ?? 0);
    }
    return registrations;
  }

  private constructor(journal: ObjectJournal | undefined, now: () => number) {
    this.#journal = journal;
    this.#now = now;
  }

  set(workload: ObjectOf<"WorkloadEntry">, seconds: number): Promise<boolean> {
    this.#beat(workload, seconds);
    return this.#apply({ set: [workload] });
  }

  remove(key: ObjectKey): Promise<boolean> {
    return this.#remove([key]);
  }

  async expire(): Promise<void> {
    const now = this.#now();
    const gone = [...this.objects.list("WorkloadEntry")].filter(
      (entry) => (this.#until.get(pathOf(entry)) ?? 0) <= now,
    );
    if (gone.length > 0) await this.#remove(gone);
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  #beat(entry: ObjectOf<"WorkloadEntry">, seconds: number): void {
    this.#until.set(pathOf(entry), this.#now() + seconds * 1000);
  }

  #remove(keys: readonly ObjectKey[]): Promise<boolean> {
    for (const key of keys) this.#until.delete(pathOf(key));
    return this.#apply({ delete: keys });
  }

  async #apply(delta: Parameters<ObjectStore["apply"]>[0]): Promise<boolean> {
    const changes = this.objects.apply(delta);
    if (changes.length > 0) await this.#journal?.write(changes, () => this.objects.all(), this.objects.size);
    return changes.length > 0;
  }
}
