/**
 * Machines that have registered as endpoints, each for as long as it beats. They are WorkloadEntries beside those that
 * were pushed, and are written down: after a restart of the service each has its whole TTL to beat again.
 */
import { ObjectJournal } from "./journal.ts";
import type { ObjectKey, ObjectOf } from "./object.ts";
import { type MeshObjects, ObjectStore } from "./object-store.ts";
import { type Registration, toWorkloadEntry, ttlOfRegistration } from "./registration.ts";

/** Of all of them: who registers more means harm. */
const MAX_REGISTRATIONS = 100_000;

export type RegisterOutcome =
  | {
      readonly kind: "registered";
      /** Whether it is more than a beat. */
      readonly changed: boolean;
      /** Without another beat, in milliseconds since 1970. */
      readonly until: number;
    }
  | { readonly kind: "unknown" | "unfit" | "full"; readonly message: string };

export class Registrations {
  readonly objects = new ObjectStore();
  readonly #journal: ObjectJournal | undefined;
  /** Milliseconds since 1970. */
  readonly #now: () => number;
  /** Until when each holds, by `NAMESPACE/NAME`. */
  readonly #until = new Map<string, number>();

  /** An Error for a file that this has not written. */
  static async open(path: string | undefined, now: () => number): Promise<Registrations> {
    if (path === undefined) return new Registrations(undefined, now);
    const { journal, objects } = await ObjectJournal.open(path);
    const registrations = new Registrations(journal, now);
    registrations.objects.apply({ set: objects });
    for (const entry of registrations.objects.list("WorkloadEntry")) registrations.#beat(entry);
    return registrations;
  }

  private constructor(journal: ObjectJournal | undefined, now: () => number) {
    this.#journal = journal;
    this.#now = now;
  }

  /** At once in force; resolved when it is on disk. `all` has the ServiceEntries. */
  async register(
    at: { readonly namespace: string; readonly name: string },
    registration: Registration,
    all: MeshObjects,
  ): Promise<RegisterOutcome> {
    const { service } = registration;
    const entry = all.get("ServiceEntry", at.namespace, service);
    const selector = entry?.value.spec.workloadSelector?.labels ?? {};
    if (entry === undefined)
      return { kind: "unknown", message: `expected a ServiceEntry ${at.namespace}/${service}, got none` };
    if (Object.keys(selector).length === 0) {
      const message = `expected a ServiceEntry with labels in its workloadSelector, got ${at.namespace}/${service} without`;
      return { kind: "unfit", message };
    }
    const known = this.objects.get("WorkloadEntry", at.namespace, at.name);
    if (known === undefined && this.objects.size >= MAX_REGISTRATIONS) {
      return { kind: "full", message: `expected at most ${MAX_REGISTRATIONS} registrations, got more` };
    }
    const workload = toWorkloadEntry(at, registration, selector);
    const until = this.#beat(workload);
    return { kind: "registered", changed: await this.#apply({ set: [workload] }), until };
  }

  /** Whether it was there. */
  async unregister({ namespace, name }: { readonly namespace: string; readonly name: string }): Promise<boolean> {
    return this.#remove([{ kind: "WorkloadEntry", namespace, name }]);
  }

  /** Takes those away that have not beaten for too long. */
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

  #remove(keys: readonly ObjectKey[]): Promise<boolean> {
    for (const key of keys) this.#until.delete(pathOf(key));
    return this.#apply({ delete: keys });
  }

  async #apply(delta: Parameters<ObjectStore["apply"]>[0]): Promise<boolean> {
    const changes = this.objects.apply(delta);
    if (changes.length > 0) await this.#journal?.write(changes, () => this.objects.all(), this.objects.size);
    return changes.length > 0;
  }

  #beat(entry: ObjectOf<"WorkloadEntry">): number {
    const until = this.#now() + (ttlOfRegistration(entry) ?? 0) * 1000;
    this.#until.set(pathOf(entry), until);
    return until;
  }
}

function pathOf({ namespace, name }: Pick<ObjectKey, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}
