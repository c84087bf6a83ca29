// Token buckets: how much of what a meter counts may still be. A bucket is known by the meter's number, and the client's
// block where each client is counted by itself. There are only so many octets of them: those that are asked again stay,
// and one that had to go begins anew, full, so that a crowd of new clients gets what it may have and no more memory.

import { Node, S3Fifo } from "../cache/s3-fifo";
import { Peer } from "../transport/peer";
import { mix } from "../wire/name";
import { Meter } from "./meter";

@unmanaged
export class Bucket extends Node {
  id: u64;
  high: u64;
  low: u64;
  /** Monotonic microseconds up to which `tokens` is right. */
  filledAt: u64;
  tokens: f64;
}

const SIZE: u32 = (<u32>offsetof<Bucket>() + 7) & ~7;
/** Octets of buckets are not fewer in any worker. */
const MIN_BUDGET: u32 = 64 * 1024;

@final
export class Buckets extends S3Fifo {
  /** `seed`: so that nobody can choose addresses that collide. */
  constructor(
    budget: u32,
    private readonly seed: u64,
  ) {
    super(max(budget, MIN_BUDGET));
  }

  /** Takes one where there is one; whether there was. */
  take(meter: Meter, peer: Peer, now: u64): bool {
    const bucket = this.of(meter, peer, now);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  private of(meter: Meter, peer: Peer, now: u64): Bucket {
    const high = meter.byClient ? peer.high : 0;
    const low = meter.byClient && peer.isIPv4 ? peer.low : 0;
    const burst = <f64>meter.burst;
    const hash = mix(mix(mix(this.seed, meter.id), high), low);
    let node = this.first(hash);
    while (node !== null) {
      const bucket = changetype<Bucket>(node);
      node = node.next;
      if (bucket.hash != hash || bucket.id != meter.id || bucket.high != high || bucket.low != low) continue;
      this.touch(bucket);
      const passed = <f64>(now - bucket.filledAt);
      const filled = bucket.tokens + (passed * <f64>meter.count) / (<f64>meter.perMilliseconds * 1000);
      bucket.tokens = min(filled, burst);
      bucket.filledAt = now;
      return bucket;
    }
    const bucket = changetype<Bucket>(heap.alloc(SIZE));
    bucket.hash = hash;
    bucket.size = SIZE;
    bucket.id = meter.id;
    bucket.high = high;
    bucket.low = low;
    bucket.tokens = burst;
    bucket.filledAt = now;
    this.insert(bucket);
    return bucket;
  }

  protected free(node: Node): void {
    heap.free(changetype<usize>(node));
  }
}
