/**
 * The buckets in which latencies are counted: by workers, and by the service.
 */

/** LATENCY_BOUNDS_US of sync.proto. */
export const LATENCY_BOUNDS_US: readonly number[] = [
  100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
];

/** Which of them a latency falls into; one more than there are for what is beyond all. */
export function latencyBucket(microseconds: number): number {
  const bucket = LATENCY_BOUNDS_US.findIndex((bound) => microseconds <= bound);
  return bucket < 0 ? LATENCY_BOUNDS_US.length : bucket;
}
