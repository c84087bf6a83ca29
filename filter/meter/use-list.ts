// The buckets that were asked since the policy service heard of them: what a worker says of its meters (MeterUses of
// protos/sync.proto). Most are of clients that are far below what they may; those are nothing to tell.

import { ProtoWriter } from "../wire/protobuf";
import { Bucket } from "./bucket";

/** Buckets beyond these keep an equal part of the rate until a place is free. */
const MAX_USED: i32 = 4096;
const MAX_TOLD: u32 = 256;
/** Microseconds between two tellings; and to the next, where a bucket runs low that never was told a share. */
const INTERVAL: u64 = 1_000_000;
const SOON: u64 = 100_000;
/** A use of less than this part of the rate is not told. */
const LITTLE: f64 = 0.05;
/** A load is told in thousandths of the rate, and up to a million times the rate. */
const THOUSAND: f64 = 1000;
const MAX_LOAD: f64 = 1_000_000_000;

@final
export class UseList {
  private readonly buckets: StaticArray<usize> = new StaticArray<usize>(MAX_USED);
  private length: i32 = 0;
  private toldAt: u64 = 0;
  /** Whether a share is wanted soon. */
  private pressing: bool = false;

  count(bucket: Bucket, amount: u32): void {
    bucket.used += amount;
    if (bucket.toldAt == 0 && bucket.level * 2 < bucket.share) this.pressing = true;
    if (bucket.place != 0 || this.length == MAX_USED) return;
    unchecked((this.buckets[this.length++] = changetype<usize>(bucket)));
    bucket.place = this.length;
  }

  /** The bucket is no more. */
  forget(bucket: Bucket): void {
    if (bucket.place == 0) return;
    const last = changetype<Bucket>(unchecked(this.buckets[--this.length]));
    last.place = bucket.place;
    unchecked((this.buckets[bucket.place - 1] = changetype<usize>(last)));
  }

  isDue(now: u64): bool {
    return this.length != 0 && now - this.toldAt >= (this.pressing ? SOON : INTERVAL);
  }

  /** Writes the uses, and begins to count anew. Whether there are any. */
  write(out: ProtoWriter, now: u64): bool {
    const passed = <f64>min(now - this.toldAt, INTERVAL);
    let told: u32 = 0;
    for (let i = 0; i < this.length; i++) {
      const bucket = changetype<Bucket>(unchecked(this.buckets[i]));
      const load = <f64>bucket.used / (passed * bucket.rate);
      const isLow = bucket.level * 2 < bucket.share;
      if (told < MAX_TOLD && (isLow || load >= LITTLE || bucket.toldAt != 0)) {
        const use = out.beginMessage(1);
        out.fixed64(1, bucket.id);
        if (bucket.high != 0) out.fixed64(2, bucket.high);
        if (bucket.low != 0) out.fixed64(3, bucket.low);
        out.number(4, <u64>min(ceil(load * THOUSAND), MAX_LOAD));
        out.endMessage(use);
        told++;
      }
      bucket.used = 0;
      bucket.place = 0;
    }
    this.length = 0;
    this.toldAt = now;
    this.pressing = false;
    return told != 0;
  }
}
