/**
 * Latencies of upstreams since the service runs, in the buckets that metrics have.
 */
import { OTHER } from "./bounded-labels.ts";
import { LATENCY_BOUNDS_US, latencyBucket } from "./latency-buckets.ts";
import type { EventCounts } from "./metrics.ts";

const MAX_UPSTREAMS = 1000;

interface Times {
  readonly buckets: number[];
  microseconds: number;
}

export class UpstreamTimes {
  readonly #upstreams = new Map<string, Times>();

  add(upstream: string, microseconds: number): void {
    let times = this.#upstreams.get(upstream);
    if (times === undefined) {
      if (this.#upstreams.size >= MAX_UPSTREAMS && upstream !== OTHER) {
        this.add(OTHER, microseconds);
        return;
      }
      times = { buckets: new Array<number>(LATENCY_BOUNDS_US.length + 1).fill(0), microseconds: 0 };
      this.#upstreams.set(upstream, times);
    }
    const bucket = latencyBucket(microseconds);
    times.buckets[bucket] = (times.buckets[bucket] ?? 0) + 1;
    times.microseconds += microseconds;
  }

  list(): EventCounts["upstreams"] {
    return [...this.#upstreams].map(([upstream, times]) => ({ upstream, ...times }));
  }
}
