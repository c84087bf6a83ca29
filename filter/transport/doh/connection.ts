// DNS over HTTPS over HTTP/2: a connection of a client, its requests and our responses, with HTTP spoken here. Envoy's own
// HTTP costs four times what a whole query costs, and each request there is a context of its own in the VM.

import { commit, reserve } from "../../host/outbox";
import { HEADER_SIZE, MAX_MESSAGE } from "../../wire/types";
import { Receiver } from "../channel";
import { Evidence, withPath } from "../evidence";
import { TABLE_SIZE } from "../http2/dynamic-table";
import {
  dataSize,
  ErrorCode,
  FRAME_HEAD,
  FrameFlag,
  FrameType,
  Greeting,
  sendReset,
  writeData,
  writeFrameHead,
} from "../http2/frames";
import { request } from "../http2/header-block";
import { Http2Handler, Http2Server } from "../http2/server";
import { Stream, Streams } from "../stream";
import {
  isDnsMessage,
  Method,
  message,
  messageLength,
  pathAt,
  pathLength,
  readMethod,
  readNumber,
  readParameter,
  readPath,
  Status,
} from "./message";
import { NO_LENGTH, OpenStream, OpenStreams, ROWS, State } from "./open-streams";
import { MAX_RESPONSE_HEADERS, writeResponseHeaders } from "./response";

/** Streams at a time, and octets that a connection may send before its messages are whole. */
const MAX_STREAMS: u32 = 100;
const CONNECTION_WINDOW: u32 = 1 << 20;
/** An octet more than a message can have, so that one that is too long is seen to be. */
const STREAM_WINDOW: u32 = MAX_MESSAGE + 1;
const GREETING = new Greeting(TABLE_SIZE, MAX_STREAMS, STREAM_WINDOW, CONNECTION_WINDOW);

@final
export class DohConnection extends Stream implements Http2Handler {
  private readonly http2!: Http2Server;
  private readonly table: OpenStreams = new OpenStreams();
  /** Streams that receive or send: as few as are to be looked at when time passes or windows open. */
  private waiting: u32 = 0;
  private now: u64 = 0;
  /** What the connection shows of the client besides the path. */
  private shown: Evidence | null = null;

  constructor(
    context: u32,
    streams: Streams,
    private readonly receiver: Receiver,
    now: u64,
  ) {
    super(context, streams, now);
    this.http2 = new Http2Server(context, this, GREETING);
  }

  receive(bytes: usize, length: u32, now: u64): void {
    this.now = now;
    super.receive(bytes, length, now);
  }

  protected unitSize(at: usize, available: u32): u32 {
    return this.http2.unitSize(at, available);
  }

  protected take(at: usize, _size: u32): void {
    const http2 = this.http2;
    const isSound = http2.unit(at);
    this.wrote(http2.acknowledged);
    http2.acknowledged = 0;
    if (!isSound) this.end();
  }

  protected farewell(): void {
    this.http2.goAway();
    this.forgetAll();
  }

  // ---- requests ----------------------------------------------------------------------------------------------------

  onRequest(stream: u32, ended: bool): void {
    if (this.table.count >= MAX_STREAMS || this.inFlight >= MAX_STREAMS) {
      this.reset(stream, ErrorCode.RefusedStream);
      return;
    }
    if (request.isTooLarge) {
      this.respond(stream, Status.FieldsTooLarge, ended);
      return;
    }
    const method = request.method;
    const path = request.path;
    if (request.isMalformed || method.at == 0 || path.at == 0 || !request.scheme) {
      this.reset(stream, ErrorCode.Protocol);
      return;
    }
    if (!readPath(path.at, path.length)) {
      this.respond(stream, Status.NotFound, ended);
      return;
    }
    const verb = readMethod(method.at, method.length);
    const isGet = verb == Method.Get;
    const status = isGet ? readParameter() : verb == Method.Post ? mayPost(ended) : Status.MethodNotAllowed;
    if (status != Status.Ok) {
      this.respond(stream, status, ended);
      return;
    }
    const added = this.table.add(stream, ended);
    added.evidence = this.evidenceOf();
    if (isGet) {
      this.ask(added, message, messageLength);
      return;
    }
    added.state = State.Receiving;
    added.since = this.now;
    const announced = request.contentLength;
    added.announced = announced.at == 0 ? NO_LENGTH : readNumber(announced.at, announced.length, MAX_MESSAGE);
    this.waiting++;
  }

  /** The client's evidence with the path that was read last. */
  private evidenceOf(): Evidence | null {
    const known = this.peer.evidence;
    if (known === null) return null;
    if (known.hasPath(pathAt, pathLength)) return known;
    let shown = this.shown;
    if (shown === null) shown = known;
    this.shown = shown;
    return withPath(shown, pathAt, pathLength);
  }

  onBody(stream: u32, at: usize, end: usize, size: u32, ended: bool): void {
    const found = this.table.find(stream);
    if (found === null || found.state != State.Receiving) {
      // Ended, refused, or a GET's, whose body says nothing (RFC 9110, section 9.3.1).
      this.http2.grant(size);
      if (found !== null && ended) found.isEnded = true;
      return;
    }
    const length = <u32>(end - at);
    if (length > MAX_MESSAGE - found.length) {
      this.http2.grant(size);
      this.giveUp(found, Status.ContentTooLarge);
      return;
    }
    if (ended) found.isEnded = true;
    if (ended && found.length == 0) {
      this.http2.grant(size);
      this.whole(found, at, length);
      return;
    }
    this.keep(found.append(at, length), this.now);
    // Padding is of no use to anybody; the rest is granted again when the body is let go.
    this.http2.grant(size - length);
    if (ended) this.whole(found, found.octets, found.length);
    else this.streams.makeRoom();
  }

  /** Trailers end a body (RFC 9113, section 8.1); they say nothing here. */
  onTrailers(stream: u32, ended: bool): void {
    const found = this.table.find(stream);
    if (found === null) return;
    if (!ended) {
      this.close(found, ErrorCode.Protocol);
      return;
    }
    found.isEnded = true;
    if (found.state == State.Receiving) this.whole(found, found.octets, found.length);
  }

  /** The body is there, perhaps in memory of the stream's. */
  private whole(found: OpenStream, at: usize, length: u32): void {
    // RFC 9113, section 8.1.1.
    if (found.announced != NO_LENGTH && found.announced != length) {
      this.close(found, ErrorCode.Protocol);
      return;
    }
    const octets = found.octets;
    const size = found.size;
    const held = found.length;
    found.octets = 0;
    found.size = 0;
    found.length = 0;
    found.state = State.Asked;
    this.waiting--;
    // The flow may answer at once, and `found` is then another stream's.
    this.ask(found, at, length);
    if (octets == 0) return;
    heap.free(octets);
    this.giveBack(size);
    this.http2.grant(held);
  }

  private ask(asked: OpenStream, at: usize, length: u32): void {
    if (length < HEADER_SIZE) {
      this.answer(asked, Status.BadRequest, 0, 0, 0);
      return;
    }
    const peer = this.peer;
    if (peer.evidence !== asked.evidence) {
      peer.evidence = asked.evidence;
      peer.subjectEpoch = 0;
    }
    this.inFlight++;
    this.receiver.receive(this, asked.stream, peer, at, length);
  }

  onReset(stream: u32): void {
    const found = this.table.find(stream);
    if (found !== null) this.forget(found);
  }

  // ---- responses ---------------------------------------------------------------------------------------------------

  send(ticket: u32, message: usize, length: u32, minimumTtl: u32): void {
    if (!this.open) return;
    this.inFlight--;
    const found = this.table.find(ticket);
    // The client wants it no more.
    if (found !== null) this.answer(found, Status.Ok, message, length, minimumTtl);
  }

  /** What is no query to anybody (a response, say) is a bad request here. */
  drop(ticket: u32): void {
    this.inFlight--;
    const found = this.table.find(ticket);
    if (found !== null && this.open) this.answer(found, Status.BadRequest, 0, 0, 0);
  }

  /** A response without a body to a stream that was not opened. */
  private respond(stream: u32, status: Status, ended: bool): void {
    this.answer(this.table.add(stream, ended), status, 0, 0, 0);
  }

  /** A request that is not read to its end. */
  private giveUp(found: OpenStream, status: Status): void {
    this.waiting--;
    this.letGo(found);
    this.answer(found, status, 0, 0, 0);
  }

  private answer(found: OpenStream, status: Status, body: usize, length: u32, minimumTtl: u32): void {
    const room = this.room(found);
    const now = min(length, room);
    const isWhole = now == length;
    const out = reserve(this.context, FRAME_HEAD + MAX_RESPONSE_HEADERS + dataSize(now));
    const headers = writeResponseHeaders(out + FRAME_HEAD, status, length, minimumTtl);
    const flags = FrameFlag.EndHeaders | (length == 0 ? FrameFlag.EndStream : FrameFlag.None);
    writeFrameHead(out, headers, FrameType.Headers, flags, found.stream);
    const size = FRAME_HEAD + headers + writeData(out + FRAME_HEAD + headers, found.stream, body, now, isWhole);
    commit(size);
    this.wrote(size);
    this.spend(found, now);
    if (isWhole) this.done(found);
    else this.keepRest(found, body + now, length - now);
  }

  /** Octets that the client takes of this stream at the moment. */
  private room(found: OpenStream): u32 {
    const http2 = this.http2;
    return <u32>max(min(http2.window, http2.initialWindow + found.credit), 0);
  }

  private spend(found: OpenStream, octets: u32): void {
    this.http2.window -= octets;
    found.credit -= octets;
  }

  private keepRest(found: OpenStream, at: usize, length: u32): void {
    found.hold(at, length);
    found.state = State.Sending;
    found.since = this.now;
    this.waiting++;
    this.keep(length, this.now);
    this.streams.makeRoom();
  }

  private sendRest(found: OpenStream): void {
    const now = min(this.room(found), found.length);
    if (now == 0) return;
    const isWhole = now == found.length;
    const out = reserve(this.context, dataSize(now));
    const size = writeData(out, found.stream, found.octets + found.done, now, isWhole);
    commit(size);
    this.wrote(size);
    this.spend(found, now);
    found.done += now;
    found.length -= now;
    found.since = this.now;
    if (!isWhole) return;
    this.waiting--;
    this.letGo(found);
    this.done(found);
  }

  onCredit(stream: u32, size: u32): void {
    const found = this.table.find(stream);
    if (found === null) return;
    found.credit += size;
    const error = this.http2.creditError(size, found.credit);
    if (error != ErrorCode.NoError) this.close(found, error);
    else if (found.state == State.Sending) this.sendRest(found);
  }

  onWindow(): void {
    for (let row: u32 = 0; row < ROWS && this.waiting > 0; row++) {
      let found = this.table.first(row);
      while (found !== null) {
        const next = found.next;
        if (found.state == State.Sending) this.sendRest(found);
        found = next;
      }
    }
  }

  // ---- streams -----------------------------------------------------------------------------------------------------

  /** All is said; a client that has not ended its side need not (RFC 9113, section 8.1). */
  private done(found: OpenStream): void {
    if (!found.isEnded) this.reset(found.stream, ErrorCode.NoError);
    this.forget(found);
  }

  /** An error of one stream (RFC 9113, section 5.4.2). */
  private close(found: OpenStream, error: ErrorCode): void {
    this.reset(found.stream, error);
    this.forget(found);
  }

  private reset(stream: u32, error: ErrorCode): void {
    sendReset(this.context, stream, error);
    this.wrote(FRAME_HEAD + 4);
  }

  private forget(found: OpenStream): void {
    if (found.state != State.Asked) {
      this.waiting--;
      this.letGo(found);
    }
    this.table.remove(found);
  }

  // ---- memory and time ---------------------------------------------------------------------------------------------

  /** Gives the memory of a body or of an answer back. */
  private letGo(found: OpenStream): void {
    if (found.state == State.Receiving) this.http2.grant(found.length);
    this.giveBack(found.size);
    found.free();
    found.state = State.Asked;
  }

  renew(now: u64): void {
    this.now = now;
    if (this.waiting > 0 && this.open) this.giveUpOld(now);
    super.renew(now);
  }

  /** Requests whose body does not come are given up; a client that takes no answers is, too. */
  private giveUpOld(now: u64): void {
    const limit = this.streams.limits.reading;
    for (let row: u32 = 0; row < ROWS; row++) {
      let found = this.table.first(row);
      while (found !== null) {
        const next = found.next;
        if (found.state != State.Asked && now - found.since > limit) {
          if (found.state == State.Receiving) this.giveUp(found, Status.RequestTimeout);
          else this.close(found, ErrorCode.EnhanceYourCalm);
        }
        found = next;
      }
    }
  }

  private forgetAll(): void {
    for (let row: u32 = 0; row < ROWS; row++) {
      for (let found = this.table.first(row); found !== null; found = this.table.first(row)) this.forget(found);
    }
  }

  closed(): void {
    this.forgetAll();
    this.http2.free();
    super.closed();
  }
}

/** Whether the POST whose header block was read last may go on to its body. */
function mayPost(ended: bool): Status {
  const type = request.contentType;
  if (type.at == 0 || !isDnsMessage(type.at, type.length)) return Status.UnsupportedMediaType;
  if (ended) return Status.BadRequest;
  const announced = request.contentLength;
  const isLarge = announced.at != 0 && readNumber(announced.at, announced.length, MAX_MESSAGE) > MAX_MESSAGE;
  return isLarge ? Status.ContentTooLarge : Status.Ok;
}
