// The HTTP filter on the listener dns_pipe: a gRPC stream goes in, DNS over TCP comes out, and back. A gRPC message is a
// DNS message behind 5 octets (flag and length); on TCP it stands behind 2 (RFC 1035, section 4.2.2).

import { Buffer, HeaderMap, readBuffer, readLength, replaceBuffer, replaceHeader, Text } from "../host/host";
import { MAX_MESSAGE, read16, read32, write16, write32 } from "../wire/types";

const CONTENT_TYPE = new Text("content-type");
const GRPC = new Text("application/grpc");
const GRPC_HEAD: u32 = 5;
const TCP_HEAD: u32 = 2;
/** All whole messages of a callback are turned here; Envoy hands over at most its buffer limit at a time. */
const CAPACITY: u32 = 1 << 21;
const turned: usize = heap.alloc(CAPACITY);

/** Octets of a frame whose end has not come yet. */
@final
class Rest {
  private at: usize = 0;
  private size: u32 = 0;
  length: u32 = 0;

  /** The frame's beginning followed by `bytes`, in memory of this object or, without a beginning, as they are. */
  join(bytes: usize, length: u32): usize {
    if (this.length == 0) return bytes;
    this.reserve(this.length + length);
    memory.copy(this.at + this.length, bytes, length);
    this.length += length;
    return this.at;
  }

  /** Keeps what comes after `used` of the `length` octets at `bytes`. */
  keep(bytes: usize, used: u32, length: u32): void {
    const left = length - used;
    this.reserve(left);
    if (left != 0) memory.copy(this.at, bytes + used, left);
    this.length = left;
    if (left == 0) this.free();
  }

  private reserve(size: u32): void {
    if (size <= this.size) return;
    const larger = heap.alloc(size);
    if (this.at != 0) {
      memory.copy(larger, this.at, this.length);
      heap.free(this.at);
    }
    this.at = larger;
    this.size = size;
  }

  free(): void {
    if (this.at != 0) heap.free(this.at);
    this.at = 0;
    this.size = 0;
    this.length = 0;
  }
}

@final
export class PipeFraming {
  private readonly request: Rest = new Rest();
  private readonly response: Rest = new Rest();

  /** Queries, `size` octets of gRPC frames; false where they are none. */
  onRequestBody(size: u32): bool {
    const bytes = readBuffer(Buffer.HttpRequestBody, 0, size);
    const count = bytes == 0 ? 0 : readLength;
    const from = this.request.join(bytes, count);
    const length = this.request.length != 0 ? this.request.length : count;
    let at: u32 = 0;
    let out: u32 = 0;
    while (length - at >= GRPC_HEAD) {
      const message = read32(from + at + 1);
      if (message > MAX_MESSAGE) return false;
      if (message > length - at - GRPC_HEAD || out + TCP_HEAD + message > CAPACITY) break;
      write16(turned + out, message);
      memory.copy(turned + out + TCP_HEAD, from + at + GRPC_HEAD, message);
      out += TCP_HEAD + message;
      at += GRPC_HEAD + message;
    }
    this.request.keep(from, at, length);
    replaceBuffer(Buffer.HttpRequestBody, size, turned, out);
    return true;
  }

  onResponseHeaders(): void {
    replaceHeader(HeaderMap.Response, CONTENT_TYPE, GRPC);
  }

  /** Answers, `size` octets of DNS over TCP. */
  onResponseBody(size: u32): void {
    const bytes = readBuffer(Buffer.HttpResponseBody, 0, size);
    const count = bytes == 0 ? 0 : readLength;
    const from = this.response.join(bytes, count);
    const length = this.response.length != 0 ? this.response.length : count;
    let at: u32 = 0;
    let out: u32 = 0;
    while (length - at >= TCP_HEAD) {
      const message = read16(from + at);
      if (message > length - at - TCP_HEAD || out + GRPC_HEAD + message > CAPACITY) break;
      store<u8>(turned + out, 0);
      write32(turned + out + 1, message);
      memory.copy(turned + out + GRPC_HEAD, from + at + TCP_HEAD, message);
      out += GRPC_HEAD + message;
      at += TCP_HEAD + message;
    }
    this.response.keep(from, at, length);
    replaceBuffer(Buffer.HttpResponseBody, size, turned, out);
  }

  closed(): void {
    this.request.free();
    this.response.free();
  }
}
