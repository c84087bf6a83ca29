// Token buckets: how much of what a meter counts may still be. A bucket is known by the meter's number, and the client's
// block where each client is counted by itself. There are only so many octets of them: those that are asked again stay,
// and one that had to go begins anew, full, so that a crowd of new clients gets what it may have and no more memory.

import { Node, S3Fifo } from "../cache/s3-fifo";
import { Peer } from "../transport/peer";
import { mix } from "../wire/name";
import { BUCKET_SIZE, Bucket, begin, fill, holds, owe, takeFrom } from "./bucket";
import { Meter } from "./meter";
import { UseList } from "./use-list";

/** Octets of buckets are not fewer in any worker. */
const MIN_BUDGET: u32 = 64 * 1024;

@final
export class Buckets extends S3Fifo {
  /** What the policy service has not heard of yet. */
  readonly uses: UseList = new UseList();
  /** One worker's part of the process. */
  private readonly equal: f64;

  /** `seed`: so that nobody can choose addresses that collide. */
  constructor(
    budget: u32,
    private readonly seed: u64,
    concurrency: u32,
  ) {
    super(max(budget, MIN_BUDGET));
    this.equal = 1 / <f64>max(concurrency, 1);
  }

  /** Takes one where there is one; whether there was. */
  take(meter: Meter, peer: Peer, now: u64): bool {
    return this.takeOf(meter, meter.byClient ? peer.high : 0, meter.byClient && peer.isIPv4 ? peer.low : 0, 1, now);
  }

  /** Takes so many of what is counted by these numbers, where they are there; whether they were. */
  takeOf(meter: Meter, high: u64, low: u64, amount: f64, now: u64): bool {
    return takeFrom(this.use(meter, high, low, amount, now), meter, amount);
  }

  /** Takes one of what is counted by these numbers, which has come about already, whether it is there or not. */
  owe(meter: Meter, high: u64, low: u64, now: u64): void {
    owe(this.use(meter, high, low, 1, now), meter, 1);
  }

  /** Whether one is there, of what is counted by these numbers. */
  has(meter: Meter, high: u64, low: u64, now: u64): bool {
    const bucket = this.find(meter.id, high, low);
    if (bucket === null) return true;
    fill(bucket, meter, this.equal, now);
    return holds(bucket, meter, 1);
  }

  private use(meter: Meter, high: u64, low: u64, amount: f64, now: u64): Bucket {
    const bucket = this.find(meter.id, high, low) || this.add(meter.id, high, low, now);
    fill(bucket, meter, this.equal, now);
    this.uses.count(bucket, <u32>amount);
    return bucket;
  }

  find(id: u64, high: u64, low: u64): Bucket | null {
    const hash = this.hashOf(id, high, low);
    let node = this.first(hash);
    while (node !== null) {
      const bucket = changetype<Bucket>(node);
      node = node.next;
      if (bucket.hash != hash || bucket.id != id || bucket.high != high || bucket.low != low) continue;
      this.touch(bucket);
      return bucket;
    }
    return null;
  }

  private add(id: u64, high: u64, low: u64, now: u64): Bucket {
    const bucket = changetype<Bucket>(heap.alloc(BUCKET_SIZE));
    bucket.hash = this.hashOf(id, high, low);
    bucket.size = BUCKET_SIZE;
    bucket.id = id;
    bucket.high = high;
    bucket.low = low;
    begin(bucket, now);
    this.insert(bucket);
    return bucket;
  }

  private hashOf(id: u64, high: u64, low: u64): u64 {
    return mix(mix(mix(this.seed, id), high), low);
  }

  protected free(node: Node): void {
    this.uses.forget(changetype<Bucket>(node));
    heap.free(changetype<usize>(node));
  }
}
