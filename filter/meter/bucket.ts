// A token bucket of one worker: its share of what a meter lets through. Everything is a part of the burst and of the rate,
// so that a share can change, and the rate too, without anything being counted twice.

import { Node } from "../cache/s3-fifo";
import { Meter } from "./meter";

/** Microseconds for which a share holds that nobody renews. */
const SHARE_AGE: u64 = 10_000_000;
/** In millionths. */
const WHOLE: f64 = 1_000_000;

@unmanaged
export class Bucket extends Node {
  id: u64;
  high: u64;
  low: u64;
  /** Monotonic microseconds up to which `level` is right. */
  filledAt: u64;
  /** What may still be, of the burst. Below zero where a share became smaller that was spent already. */
  level: f64;
  /**
   * What `level` comes up to: this worker's share of the burst, and of the rate. Before a share is told, the whole burst is
   * there at once: most clients ask one worker. What others have let through by then is taken back with the first share.
   */
  share: f64;
  /** When the share was told; 0 is never. Until then, the rate is divided equally among the process's workers. */
  toldAt: u64;
  /** The meter's rate, in each microsecond. */
  rate: f64;
  /** What was counted since the policy service heard of it, and the place in the list of what it will hear. */
  used: u32;
  place: u32;
}

export const BUCKET_SIZE: u32 = (<u32>offsetof<Bucket>() + 7) & ~7;

export function begin(bucket: Bucket, now: u64): void {
  bucket.level = 1;
  bucket.share = 1;
  bucket.toldAt = 0;
  bucket.filledAt = now;
  bucket.rate = 0;
  bucket.used = 0;
  bucket.place = 0;
}

/** Lets come back what time has brought; `equal` is one worker's part of the process. */
export function fill(bucket: Bucket, meter: Meter, equal: f64, now: u64): void {
  const burst = <f64>meter.burst;
  bucket.rate = <f64>meter.count / (<f64>meter.perMilliseconds * 1000);
  const passed = <f64>(now - bucket.filledAt);
  const share = bucket.toldAt != 0 ? bucket.share : equal;
  // However small a share is, a query fits in.
  const most = max(bucket.share, 1 / burst);
  bucket.level = min(bucket.level + (passed * bucket.rate * share) / burst, most);
  bucket.filledAt = now;
  if (bucket.toldAt == 0 || now - bucket.toldAt <= SHARE_AGE) return;
  // The policy service is away, or has forgotten a bucket that was idle: that one is as good as new.
  if (bucket.level >= bucket.share) begin(bucket, now);
  else reshare(bucket, equal, 0);
}

/** What is taken at half a token less is given back by waiting longer for the next. */
export function takeFrom(bucket: Bucket, meter: Meter, amount: f64): bool {
  if (!holds(bucket, meter, amount)) return false;
  bucket.level -= amount / <f64>meter.burst;
  return true;
}

export function holds(bucket: Bucket, meter: Meter, amount: f64): bool {
  return bucket.level * <f64>meter.burst >= amount - 0.5;
}

/** Takes what has come about already, also where it is not there: that is waited for, a whole burst at most. */
export function owe(bucket: Bucket, meter: Meter, amount: f64): void {
  bucket.level = max(bucket.level - amount / <f64>meter.burst, -1);
}

/** `millionths`: as it was told. */
export function tellShare(bucket: Bucket, millionths: u64, now: u64): void {
  reshare(bucket, <f64>millionths / WHOLE, now);
}

/** What one worker gets, another one gives. */
function reshare(bucket: Bucket, share: f64, toldAt: u64): void {
  bucket.level = max(bucket.level + share - bucket.share, -1);
  bucket.share = share;
  bucket.toldAt = toldAt;
}
