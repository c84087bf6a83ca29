// The streams of a connection that are open: a request that comes, is answered, or whose answer goes.

import { MAX_MESSAGE } from "../../wire/types";
import { Evidence } from "../evidence";

/** content-length said nothing. */
export const NO_LENGTH: u32 = u32.MAX_VALUE;

/** A body whose length was not announced begins with so much memory. */
const FIRST_BODY: u32 = 512;

export const enum State {
  /** Its body is not whole. */
  Receiving,
  /** The flow has its query. */
  Asked,
  /** A part of its answer waits for the client's windows. */
  Sending,
}

/** A stream that is open. */
@final
export class OpenStream {
  stream: u32 = 0;
  state: State = State.Asked;
  /** Whether the client has ended its side. */
  isEnded: bool = false;
  /** Octets that the client takes beyond its initial window, less those sent. */
  credit: i64 = 0;
  evidence: Evidence | null = null;
  since: u64 = 0;
  /** The body as far as it has come, or the answer as far as it has not gone: `length` octets after `done`. */
  octets: usize = 0;
  size: u32 = 0;
  done: u32 = 0;
  length: u32 = 0;
  /** What content-length announced, or NO_LENGTH. */
  announced: u32 = NO_LENGTH;
  next: OpenStream | null = null;

  /** Adds octets; returns how many more it has memory for than before. */
  append(at: usize, length: u32): u32 {
    const before = this.size;
    const needed = this.length + length;
    if (needed > before) {
      let size = max(before, this.announced <= MAX_MESSAGE ? max(this.announced, FIRST_BODY) : FIRST_BODY);
      while (size < needed) size <<= 1;
      const larger = heap.alloc(size);
      memory.copy(larger, this.octets, this.length);
      if (this.octets != 0) heap.free(this.octets);
      this.octets = larger;
      this.size = size;
    }
    memory.copy(this.octets + this.length, at, length);
    this.length = needed;
    return this.size - before;
  }

  /** Keeps these octets, where it has kept none. */
  hold(at: usize, length: u32): void {
    this.octets = heap.alloc(length);
    this.size = length;
    this.length = length;
    memory.copy(this.octets, at, length);
  }

  free(): void {
    if (this.octets != 0) heap.free(this.octets);
    this.octets = 0;
    this.size = 0;
    this.done = 0;
    this.length = 0;
  }
}

const pool = new Array<OpenStream>();

export const ROWS: u32 = 32;

@final
export class OpenStreams {
  count: u32 = 0;
  /** By number. */
  private readonly rows: StaticArray<OpenStream | null> = new StaticArray<OpenStream | null>(ROWS);

  find(stream: u32): OpenStream | null {
    let found = unchecked(this.rows[(stream >> 1) % ROWS]);
    while (found !== null && found.stream != stream) found = found.next;
    return found;
  }

  /** The first stream of a row; the others follow it by `next`. */
  first(row: u32): OpenStream | null {
    return unchecked(this.rows[row]);
  }

  /** `ended`: the client has no more to say. */
  add(stream: u32, ended: bool): OpenStream {
    const added = pool.length > 0 ? pool.pop() : new OpenStream();
    const row = (stream >> 1) % ROWS;
    added.stream = stream;
    added.isEnded = ended;
    added.next = unchecked(this.rows[row]);
    unchecked((this.rows[row] = added));
    this.count++;
    return added;
  }

  /** Takes out a stream that holds no memory. */
  remove(found: OpenStream): void {
    const row = (found.stream >> 1) % ROWS;
    let before: OpenStream | null = null;
    let at = unchecked(this.rows[row]);
    while (at !== null && at !== found) {
      before = at;
      at = at.next;
    }
    if (before !== null) before.next = found.next;
    else unchecked((this.rows[row] = found.next));
    found.next = null;
    found.credit = 0;
    found.evidence = null;
    found.announced = NO_LENGTH;
    found.state = State.Asked;
    this.count--;
    pool.push(found);
  }
}
