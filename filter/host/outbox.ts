// Octets on their way to one connection. Answers of a callback are gathered here and handed to Envoy at once; writing
// for another connection first sends what is there. The wasm network filter "writes" by putting octets into the
// connection's read buffer and letting the stream go on to the echo filter behind it.

import { appendBuffer, Buffer, continueDownstream, replaceBuffer, setEffectiveContext } from "./host";

const CAPACITY: usize = 1 << 18;
/** The largest single write: a DNS message with any framing. */
export const MAX_WRITE: usize = 66 * 1024;

const bytes: usize = heap.alloc(CAPACITY);
let used: usize = 0;
let connection: u32 = 0;
/** The connection whose data callback is running, and how many of its octets Envoy still holds. */
let reading: u32 = 0;
let held: u32 = 0;

/** The data callback of `context` begins; the filter has copied all `size` octets, and nothing of them goes on. */
export function beginReading(context: u32, size: u32): void {
  flush();
  reading = context;
  held = size;
}

/** It ends: what is written is sent, and the octets read are taken out of Envoy's buffer. */
export function endReading(): void {
  flush();
  if (held > 0) {
    setEffectiveContext(reading);
    replaceBuffer(Buffer.NetworkDownstreamData, held, 0, 0);
  }
  reading = 0;
  held = 0;
}

/** Room for `length` (at most MAX_WRITE) octets to `context`; the caller fills it and calls `commit`. */
export function reserve(context: u32, length: usize): usize {
  if (context != connection || length > CAPACITY - used) {
    flush();
    connection = context;
  }
  return bytes + used;
}

export function commit(length: usize): void {
  used += length;
}

/** Sends what is gathered. Does nothing for a connection that is gone. */
export function flush(): void {
  const length = <u32>used;
  if (length == 0) return;
  used = 0;
  if (!setEffectiveContext(connection)) return;
  let isSet = false;
  if (connection == reading && held > 0) {
    isSet = replaceBuffer(Buffer.NetworkDownstreamData, held, bytes, length);
    held = 0;
  } else {
    // Envoy continues when the callback is over: what this callback has written before is still there.
    isSet = appendBuffer(Buffer.NetworkDownstreamData, bytes, length);
  }
  if (isSet) continueDownstream();
}
