// DNS over HTTPS as an HTTP filter: one request, one message, over HTTP/1.1 or HTTP/3. Envoy speaks HTTP; this decides
// what is a DNS request, and turns answers into responses. (Over HTTP/2 we speak HTTP ourselves: connection.ts.)

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
} from "../../host/host";
import { HEADER_SIZE, MAX_MESSAGE } from "../../wire/types";
import { Channel, Receiver } from "../channel";
import { Evidence } from "../evidence";
import { Peer } from "../peer";
import {
  ALLOWED,
  cacheControl,
  cacheControlLength,
  DNS_MESSAGE,
  isDnsMessage,
  Method,
  message,
  messageLength,
  NO_STORE,
  readMethod,
  readNumber,
  readParameter,
  readPath,
  Status,
  writeCacheControl,
} from "./message";

const METHOD = new Text(":method");
const PATH = new Text(":path");
const CONTENT_TYPE = new Text("content-type");
const CONTENT_LENGTH = new Text("content-length");
const CACHE_CONTROL = new Text("cache-control");
const ALLOW = new Text("allow");

const headers = new Headers(512);

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

  /** Reads the path of the request; false where it is none of ours, and is answered 404. */
  readPath(): bool {
    const path = readHeader(HeaderMap.Request, PATH);
    if (readPath(path, readLength)) return true;
    this.refuse(Status.NotFound);
    return false;
  }

  /** Who asks: `peer` is the connection's, its evidence this request's. */
  identify(peer: Peer | null): void {
    this.peer = peer;
    this.evidence = peer === null ? null : peer.evidence;
  }

  /** The headers are there, the peer and the path are known. `ended`: there is no body. A POST awaits its body. */
  onHeaders(ended: bool): void {
    const text = readHeader(HeaderMap.Request, METHOD);
    const method = readMethod(text, readLength);
    if (method == Method.Get) {
      const status = readParameter();
      if (status == Status.Ok) this.accept(message, messageLength);
      else this.refuse(status);
      return;
    }
    if (method != Method.Post) {
      this.refuse(Status.MethodNotAllowed);
      return;
    }
    const type = readHeader(HeaderMap.Request, CONTENT_TYPE);
    if (!isDnsMessage(type, readLength)) {
      this.refuse(Status.UnsupportedMediaType);
      return;
    }
    if (ended) {
      this.refuse(Status.BadRequest);
      return;
    }
    const announced = readHeader(HeaderMap.Request, CONTENT_LENGTH);
    if (announced != 0 && readNumber(announced, readLength, MAX_MESSAGE) > MAX_MESSAGE) {
      this.refuse(Status.ContentTooLarge);
    }
  }

  /** `size` octets of the body are buffered; `ended`: that is all of it. */
  onBody(size: u32, ended: bool): void {
    if (!this.open) return;
    if (size > MAX_MESSAGE) {
      this.refuse(Status.ContentTooLarge);
      return;
    }
    if (!ended) return;
    const body = readBuffer(Buffer.HttpRequestBody, 0, size);
    this.accept(body, body == 0 ? 0 : readLength);
  }

  private accept(message: usize, length: u32): void {
    const peer = this.peer;
    if (length < HEADER_SIZE || peer === null) {
      this.refuse(Status.BadRequest);
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
    writeCacheControl(minimumTtl);
    headers.add(CACHE_CONTROL, cacheControl, cacheControlLength);
    if (setEffectiveContext(this.context)) sendLocalResponse(Status.Ok, headers, message, length);
  }

  /** What is no query to anybody (a response, say) is a bad request here. */
  drop(_ticket: u32): void {
    this.refuse(Status.BadRequest);
  }

  private refuse(status: Status): void {
    if (!this.open) return;
    this.open = false;
    headers.clear();
    headers.addText(CACHE_CONTROL, NO_STORE);
    if (status == Status.MethodNotAllowed) headers.addText(ALLOW, ALLOWED);
    if (setEffectiveContext(this.context)) sendLocalResponse(status, headers, 0, 0);
  }
}
