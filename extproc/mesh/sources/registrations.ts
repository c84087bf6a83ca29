/**
 * Machines that have registered as endpoints, each for as long as it beats: WorkloadEntries beside those that were pushed.
 */
import type { ObjectKey, ObjectOf } from "./object.ts";
import type { AllObjects, MeshObjects } from "./object-store.ts";
import { type Registration, toWorkloadEntry } from "./registration.ts";

/** Where they are kept. */
export interface KeptRegistrations {
  readonly objects: AllObjects;
  /** For so many seconds from now on. Whether it is more than a beat. */
  set(workload: ObjectOf<"WorkloadEntry">, seconds: number): Promise<boolean>;
  /** Whether it was there. */
  remove(key: ObjectKey): Promise<boolean>;
  /** Takes those away that have not beaten for too long. */
  expire(): Promise<void>;
  close(): Promise<void>;
}

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
  | { readonly kind: "unknown" | "unfit" | "full" | "unavailable"; readonly message: string };

export class Registrations {
  readonly #kept: KeptRegistrations;
  /** Milliseconds since 1970. */
  readonly #now: () => number;

  constructor(kept: KeptRegistrations, now: () => number) {
    this.#kept = kept;
    this.#now = now;
  }

  get objects(): AllObjects {
    return this.#kept.objects;
  }

  /** In force and kept when it is resolved. `all` has the ServiceEntries. */
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
    const until = this.#now() + registration.ttl * 1000;
    try {
      return { kind: "registered", changed: await this.#kept.set(workload, registration.ttl), until };
    } catch (error) {
      return { kind: "unavailable", message: `a registration cannot be written down: ${(error as Error).message}` };
    }
  }

  /** Whether it was there. */
  unregister({ namespace, name }: { readonly namespace: string; readonly name: string }): Promise<boolean> {
    return this.#kept.remove({ kind: "WorkloadEntry", namespace, name });
  }

  expire(): Promise<void> {
    return this.#kept.expire();
  }

  close(): Promise<void> {
    return this.#kept.close();
  }
}
