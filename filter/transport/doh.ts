// DNS over HTTPS (RFC 8484): one request, one message, over HTTP/2 or HTTP/3. Envoy speaks HTTP; this decides what is a
// DNS request, and turns answers into responses.

import {
  Buffer,
  HeaderMap,
  Headers,
  readBuffer,
  readHeader,
  readLength,
  sendLocalResponse,
  setEffectiveContext,
  Text,
} from "../host/host";
import { HEADER_SIZE, MAX_MESSAGE } from "../wire/types";
import { Channel, Receiver } from "./channel";
import { Evidence } from "./evidence";
import { Peer } from "./peer";

const METHOD = new Text(":method");
const PATH = new Text(":path");
const CONTENT_TYPE = new Text("content-type");
const CONTENT_LENGTH = new Text("content-length");
const CACHE_CONTROL = new Text("cache-control");
const ALLOW = new Text("allow");
const ALLOWED = new Text("GET, POST");
const DNS_MESSAGE = new Text("application/dns-message");
const NO_STORE = new Text("no-store");
const MAX_AGE = new Text("private, max-age=");
const ENDING = new Text("/dns-query");
const PARAMETER = new Text("dns=");

const GET: u32 = 0x54_45_47;
const POST: u32 = 0x54_53_4f_50;
/** The longest base64url text of a message. */
const MAX_ENCODED: u32 = (MAX_MESSAGE * 4 + 2) / 3;

const headers = new Headers(512);
const decoded: usize = heap.alloc(MAX_MESSAGE + 3);
const cacheControl: usize = heap.alloc(48);

@final
export class DohRequest extends Channel {
  private peer: Peer | null = null;
  private evidence: Evidence | null = null;

  constructor(
    context: u32,
    private readonly receiver: Receiver,
  ) {
    super(context);
  }

  /** The path without its query in `pathAt`, `pathLength`, once `readPath` returned true. */
  static pathAt: usize = 0;
  static pathLength: u32 = 0;
  private static query: usize = 0;
  private static queryLength: u32 = 0;

  /** Reads the path of the request; false where it is none of ours, and is answered 404. */
  readPath(): bool {
    const path = readHeader(HeaderMap.Request, PATH);
    const length = readLength;
    let end: u32 = 0;
    while (end < length && load<u8>(path + end) != 0x3f) end++;
    const ours = end >= ENDING.length && memory.compare(path + end - ENDING.length, ENDING.at, ENDING.length) == 0;
    if (!ours) {
      this.refuse(404);
      return false;
    }
    DohRequest.pathAt = path;
    DohRequest.pathLength = end;
    DohRequest.query = path + end + 1;
    DohRequest.queryLength = end < length ? length - end - 1 : 0;
    return true;
  }

  /** Who asks: `peer` is the connection's, its evidence this request's. */
  identify(peer: Peer | null): void {
    this.peer = peer;
    this.evidence = peer === null ? null : peer.evidence;
  }

  /** The headers are there, the peer and the path are known. `ended`: there is no body. A POST awaits its body. */
  onHeaders(ended: bool): void {
    const method = readHeader(HeaderMap.Request, METHOD);
    const isGet = readLength == 3 && (<u32>load<u16>(method) | ((<u32>load<u8>(method + 2)) << 16)) == GET;
    if (isGet) {
      this.get();
      return;
    }
    if (readLength != 4 || load<u32>(method) != POST) {
      this.refuse(405);
      return;
    }
    const type = readHeader(HeaderMap.Request, CONTENT_TYPE);
    if (readLength != DNS_MESSAGE.length || memory.compare(type, DNS_MESSAGE.at, readLength) != 0) {
      this.refuse(415);
      return;
    }
    if (ended) {
      this.refuse(400);
      return;
    }
    const announced = readHeader(HeaderMap.Request, CONTENT_LENGTH);
    if (announced != 0 && exceeds(announced, readLength, MAX_MESSAGE)) {
      this.refuse(413);
    }
  }

  /** `size` octets of the body are buffered; `ended`: that is all of it. */
  onBody(size: u32, ended: bool): void {
    if (!this.open) return;
    if (size > MAX_MESSAGE) {
      this.refuse(413);
      return;
    }
    if (!ended) return;
    const body = readBuffer(Buffer.HttpRequestBody, 0, size);
    this.accept(body, body == 0 ? 0 : readLength);
  }

  private get(): void {
    let at = DohRequest.query;
    const end = at + DohRequest.queryLength;
    while (at < end) {
      let next = at;
      while (next < end && load<u8>(next) != 0x26) next++;
      if (next - at >= PARAMETER.length && memory.compare(at, PARAMETER.at, PARAMETER.length) == 0) {
        const length = <u32>(next - at) - PARAMETER.length;
        if (length > MAX_ENCODED) this.refuse(413);
        else this.accept(decoded, decodeBase64url(at + PARAMETER.length, length));
        return;
      }
      at = next + 1;
    }
    this.refuse(400);
  }

  private accept(message: usize, length: u32): void {
    const peer = this.peer;
    if (length < HEADER_SIZE || peer === null) {
      this.refuse(400);
      return;
    }
    // A request to another path may have come on the same connection while this one's body was awaited.
    if (peer.evidence !== this.evidence) {
      peer.evidence = this.evidence;
      peer.subjectEpoch = 0;
    }
    this.receiver.receive(this, 0, peer, message, length);
  }

  send(_ticket: u32, message: usize, length: u32, minimumTtl: u32): void {
    if (!this.open) return;
    this.open = false;
    headers.clear();
    headers.addText(CONTENT_TYPE, DNS_MESSAGE);
    if (minimumTtl == 0) headers.addText(CACHE_CONTROL, NO_STORE);
    else headers.add(CACHE_CONTROL, cacheControl, writeMaxAge(minimumTtl));
    if (setEffectiveContext(this.context)) sendLocalResponse(200, headers, message, length);
  }

  /** What is no query to anybody (a response, say) is a bad request here. */
  drop(_ticket: u32): void {
    this.refuse(400);
  }

  private refuse(status: u32): void {
    if (!this.open) return;
    this.open = false;
    headers.clear();
    headers.addText(CACHE_CONTROL, NO_STORE);
    if (status == 405) headers.addText(ALLOW, ALLOWED);
    if (setEffectiveContext(this.context)) sendLocalResponse(status, headers, 0, 0);
  }
}

function writeMaxAge(ttl: u32): u32 {
  memory.copy(cacheControl, MAX_AGE.at, MAX_AGE.length);
  let digits: u32 = 1;
  for (let rest = ttl / 10; rest != 0; rest /= 10) digits++;
  let rest = ttl;
  for (let i = digits; i > 0; i--) {
    store<u8>(cacheControl + MAX_AGE.length + i - 1, <u8>(0x30 + (rest % 10)));
    rest /= 10;
  }
  return MAX_AGE.length + digits;
}

/** Whether a decimal number is above `limit`, or no number. */
function exceeds(text: usize, length: u32, limit: u32): bool {
  let value: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = <u32>load<u8>(text + i) - 0x30;
    if (digit > 9) return true;
    value = value * 10 + digit;
    if (value > limit) return true;
  }
  return false;
}

/** Decodes into `decoded` (RFC 4648, section 5; RFC 8484, section 6: no padding); 0 where the text is not base64url. */
function decodeBase64url(text: usize, length: u32): u32 {
  if (length % 4 == 1) return 0;
  let bits: u32 = 0;
  let count: u32 = 0;
  let out: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const value = sextet(load<u8>(text + i));
    if (value > 63) return 0;
    bits = (bits << 6) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      store<u8>(decoded + out++, <u8>(bits >> count));
    }
  }
  return out;
}

function sextet(character: u32): u32 {
  if (character - 0x41 < 26) return character - 0x41;
  if (character - 0x61 < 26) return character - 0x61 + 26;
  if (character - 0x30 < 10) return character - 0x30 + 52;
  if (character == 0x2d) return 62;
  return character == 0x5f ? 63 : 64;
}
