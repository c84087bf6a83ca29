// Reads a Meter of protos/verdict.proto.

import { Kind, LAST_KIND, Meter } from "../meter/meter";
import { ProtoReader } from "../wire/protobuf";

/** Counts and milliseconds above these are no policy's. */
const MAX_COUNT: u64 = 10_000_000;
const MAX_MILLISECONDS: u64 = 3_600_000;

@final
export class MeterReader {
  private readonly reader: ProtoReader = new ProtoReader();
  private id: u64 = 0;
  private kind: u64 = 0;
  private byClient: bool = false;
  private count: u64 = 0;
  private perMilliseconds: u64 = 0;
  private burst: u64 = 0;

  /** Whether it is a whole Meter. */
  read(at: usize, length: u32): bool {
    this.id = 0;
    this.kind = 0;
    this.byClient = false;
    this.count = 0;
    this.perMilliseconds = 0;
    this.burst = 0;
    const reader = this.reader.begin(at, length);
    while (reader.next()) {
      if (reader.field == 1) this.id = reader.fixed64();
      else if (reader.field == 2) this.kind = reader.number();
      else if (reader.field == 3) this.byClient = reader.number() != 0;
      else if (reader.field == 4) this.count = reader.number();
      else if (reader.field == 5) this.perMilliseconds = reader.number();
      else if (reader.field == 6) this.burst = reader.number();
      else reader.skip();
    }
    return (
      !reader.failed &&
      this.kind <= LAST_KIND &&
      inRange(this.count, MAX_COUNT) &&
      inRange(this.perMilliseconds, MAX_MILLISECONDS) &&
      inRange(this.burst, MAX_COUNT)
    );
  }

  write(meter: Meter): void {
    meter.id = this.id;
    meter.kind = <Kind>this.kind;
    meter.byClient = this.byClient;
    meter.count = <u32>this.count;
    meter.perMilliseconds = <u32>this.perMilliseconds;
    meter.burst = <u32>this.burst;
  }
}

function inRange(value: u64, most: u64): bool {
  return value != 0 && value <= most;
}
