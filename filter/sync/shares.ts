// Reads MeterShares of protos/sync.proto into the buckets that they speak of.

import { tellShare } from "../meter/bucket";
import { Buckets } from "../meter/buckets";
import { ProtoReader } from "../wire/protobuf";

/** A share is in millionths. */
const WHOLE: u64 = 1_000_000;

@final
export class ShareReader {
  private readonly outer: ProtoReader = new ProtoReader();
  private readonly inner: ProtoReader = new ProtoReader();

  constructor(private readonly buckets: Buckets) {}

  read(at: usize, length: u32, now: u64): void {
    const reader = this.outer.begin(at, length);
    while (reader.next()) {
      if (reader.field != 1) {
        reader.skip();
        continue;
      }
      reader.bytes();
      this.readShare(reader.bytesAt, reader.bytesLength, now);
    }
  }

  private readShare(at: usize, length: u32, now: u64): void {
    let id: u64 = 0;
    let high: u64 = 0;
    let low: u64 = 0;
    let share: u64 = 0;
    const reader = this.inner.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) id = reader.fixed64();
      else if (reader.field == 2) high = reader.fixed64();
      else if (reader.field == 3) low = reader.fixed64();
      else if (reader.field == 4) share = reader.number();
      else reader.skip();
    }
    if (reader.failed || share == 0 || share > WHOLE) return;
    const bucket = this.buckets.find(id, high, low);
    if (bucket !== null) tellShare(bucket, share, now);
  }
}
