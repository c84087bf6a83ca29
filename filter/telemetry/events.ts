// Events of single queries on their way to the policy service: of every query where it asks for them, otherwise of those
// that are to be logged. They are written in wire format at once, into batches of fixed size; what finds them full is counted,
// and lost. Nothing waits for an event.

import { ProtoWriter } from "../wire/protobuf";

/** Octets of a batch: with a report's other parts one message. */
const BATCH: u32 = 60 * 1024;
/** Batches of a worker: what the policy service may be behind. */
const BATCHES: i32 = 16;
/** What is told of a query. */
export abstract class Event {
  /** Of EventBatch. */
  field: u32 = 1;

  /** Writes the fields of an Event message (protos/sync.proto). */
  abstract write(out: ProtoWriter): void;
}

@final
export class Events {
  /** The policy service wants to hear of every query. */
  all: bool = false;
  /** Somebody waits for each event. */
  prompt: bool = false;
  dropped: u64 = 0;
  /** Questions that were not sent to a second upstream. */
  droppedMirrors: u64 = 0;
  /** What is to be added to monotonic microseconds for those since 1970. */
  wallOffset: u64 = 0;
  private readonly batches: StaticArray<ProtoWriter> = new StaticArray<ProtoWriter>(BATCHES);
  private readonly counts: StaticArray<u32> = new StaticArray<u32>(BATCHES);
  /** The batch that is sent next, and how many there are up to the one that is written. */
  private first: i32 = 0;
  private count: i32 = 1;

  constructor() {
    for (let i = 0; i < BATCHES; i++) this.batches[i] = new ProtoWriter(BATCH);
  }

  /** An EventBatch: the oldest. */
  get batch(): ProtoWriter {
    return unchecked(this.batches[this.first]);
  }

  /** Events in it. */
  get batchCount(): u32 {
    return unchecked(this.counts[this.first]);
  }

  /** Whether a batch is full. */
  get hasFull(): bool {
    return this.count > 1;
  }

  /** The oldest batch is sent. */
  sent(): void {
    this.batch.clear();
    unchecked((this.counts[this.first] = 0));
    if (this.count == 1) return;
    this.first = (this.first + 1) % BATCHES;
    this.count--;
  }

  add(event: Event): void {
    for (;;) {
      const last = (this.first + this.count - 1) % BATCHES;
      const out = unchecked(this.batches[last]);
      const before = out.length;
      const start = out.beginMessage(event.field);
      event.write(out);
      out.endMessage(start);
      if (!out.full) {
        unchecked((this.counts[last] += 1));
        return;
      }
      out.rewind(before);
      if (before == 0 || this.count == BATCHES) {
        this.dropped++;
        return;
      }
      this.count++;
    }
  }
}
