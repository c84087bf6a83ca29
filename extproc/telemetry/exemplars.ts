/**
 * For each bucket of latencies of a tenant and transport, the last query in it that was traced: from a histogram's bump to the
 * trace of a query that was as slow.
 */
import { BoundedLabels, OTHER } from "./bounded-labels.ts";
import { latencyBucket } from "./latency-buckets.ts";

export interface Exemplar {
  readonly tenant: string;
  readonly transport: number;
  readonly bucket: number;
  readonly trace: string;
  readonly microseconds: number;
  /** Microseconds since 1970. */
  readonly time: number;
}

/** Of tenants beyond these there are none: each has up to 80. */
const MAX_TENANTS = 100;

export class Exemplars {
  readonly #exemplars = new Map<string, Exemplar>();
  readonly #tenants = new BoundedLabels(MAX_TENANTS);

  add(exemplar: Omit<Exemplar, "bucket">): void {
    const { tenant, transport, microseconds } = exemplar;
    if (this.#tenants.bound(tenant) === OTHER) return;
    const bucket = latencyBucket(microseconds);
    this.#exemplars.set(`${transport} ${bucket} ${tenant}`, { ...exemplar, bucket });
  }

  get list(): readonly Exemplar[] {
    return [...this.#exemplars.values()];
  }
}
