/**
 * An HTTP request through the wasm HTTP filter: on to the router, or answered here.
 *
 * As in Envoy, a filter that stops at the headers is given the body only with `allow_on_headers_stop_iteration`; a
 * local response passes the filter's own response callbacks; the context ends when request and response are over.
 */
import {
  BufferType,
  DataAction,
  type Headers,
  HeadersAction,
  MapType,
  type Property,
  Status,
  StreamType,
} from "./abi.ts";
import { headerOf } from "./callouts.ts";
import { Context, concat, type GuestBuffer, type LocalResponse } from "./context.ts";
import type { RootContext } from "./root-context.ts";

/** Envoy's default `per_connection_buffer_limit_bytes`: a request body that is kept beyond it is a 413. */
const BUFFER_LIMIT = 1024 * 1024;

/** One direction of a stream: headers and body on their way through the filter. */
class Direction {
  headers: Headers | undefined;
  /** What the filter sees: a chunk, or all that was kept so far. */
  body: Uint8Array | undefined;
  kept: Uint8Array = new Uint8Array();
  keeping = false;
  ended = false;
  state: "headers" | "stopped" | "stopped all" | "going" = "headers";
  passedHeaders: Headers | undefined;
  passed: Uint8Array[] = [];
  passedEnd = false;

  pass(chunk: Uint8Array): void {
    if (chunk.length > 0) this.passed.push(chunk);
    this.passedEnd = this.ended;
  }
}

export class HttpStream extends Context {
  override readonly root: RootContext;
  readonly #request = new Direction();
  readonly #response = new Direction();
  readonly #properties: Map<string, Property>;
  readonly #bufferLimit: number;
  #local = false;
  #over = false;
  wasReset = false;

  constructor(
    root: RootContext,
    headers: Headers,
    options: { end?: boolean; properties?: Record<string, Property>; bufferLimit?: number } = {},
  ) {
    super(root.vm);
    this.root = root;
    this.#properties = new Map(
      Object.entries({ connection_id: this.id, "connection.id": this.id, ...options.properties }),
    );
    this.#bufferLimit = options.bufferLimit ?? BUFFER_LIMIT;
    this.vm.call(this, "proxy_on_context_create", [this.id, root.id], () => undefined);
    this.#headersArrive(this.#request, "proxy_on_request_headers", headers, options.end ?? false);
  }

  /** The client sends a piece of the request's body. */
  sendBody(bytes: Uint8Array, end = false): void {
    this.#bodyArrives(this.#request, "proxy_on_request_body", bytes, end);
  }

  /** The upstream answers: its headers. */
  respond(headers: Headers, end = false): void {
    this.#headersArrive(this.#response, "proxy_on_response_headers", headers, end);
  }

  /** The upstream answers: a piece of its body. */
  respondBody(bytes: Uint8Array, end = false): void {
    this.#bodyArrives(this.#response, "proxy_on_response_body", bytes, end);
  }

  /** The client resets the stream, or its connection ends. */
  reset(): void {
    this.#finish();
  }

  /** The request that went on to the router since the last time; headers are undefined until they did. */
  takeForwarded(): { headers: Headers | undefined; body: Uint8Array; end: boolean } {
    return { headers: this.#request.passedHeaders, body: this.#take(this.#request), end: this.#request.passedEnd };
  }

  /** What went to the client since the last time; `status` is undefined until the response has begun. */
  takeResponse(): { status: number | undefined; headers: Headers; body: Uint8Array; end: boolean } {
    const headers = this.#response.passedHeaders;
    const status = headers && headerOf(headers, ":status");
    const body = this.#take(this.#response);
    return { status: status ? Number(status) : undefined, headers: headers ?? [], body, end: this.#response.passedEnd };
  }

  get over(): boolean {
    return this.#over;
  }

  override buffer(type: BufferType): GuestBuffer | undefined {
    if (type === BufferType.HttpRequestBody) return bufferOf(this.#request);
    if (type === BufferType.HttpResponseBody) return bufferOf(this.#response);
    return super.buffer(type);
  }

  override headers(type: MapType): Headers | undefined {
    if (type === MapType.HttpRequestHeaders) return this.#request.headers;
    if (type === MapType.HttpResponseHeaders) return this.#response.headers;
    return super.headers(type);
  }

  override property(path: string): Property | undefined {
    return this.#properties.get(path) ?? super.property(path);
  }

  override continueStream(type: StreamType): Status {
    if (type !== StreamType.HttpRequest && type !== StreamType.HttpResponse) return Status.Unimplemented;
    const direction = type === StreamType.HttpRequest ? this.#request : this.#response;
    this.vm.afterCall(() => this.#continue(direction));
    return Status.Ok;
  }

  override closeStream(type: StreamType): Status {
    if (type === StreamType.HttpRequest || type === StreamType.HttpResponse) {
      this.vm.afterCall(() => {
        this.wasReset = true;
        this.#finish();
      });
    }
    return Status.Ok;
  }

  override sendLocalResponse(response: LocalResponse): void {
    this.vm.afterCall(() => this.#replyLocally(response));
  }

  #replyLocally({ status, headers: extra, body }: Pick<LocalResponse, "status" | "headers" | "body">): void {
    if (this.#over || this.#response.state !== "headers") return;
    this.#local = true;
    const headers: Headers = [[":status", String(status)]];
    if (body.length > 0) headers.push(["content-length", String(body.length)]);
    headers.push(...extra);
    if (!headerOf(headers, "content-type") && body.length > 0) headers.push(["content-type", "text/plain"]);
    this.respond(headers, body.length === 0);
    if (body.length > 0) this.respondBody(body, true);
  }

  #headersArrive(direction: Direction, callback: string, headers: Headers, end: boolean): void {
    direction.headers = headers.map(([name, value]) => [name.toLowerCase(), value]);
    direction.ended = end;
    const stopsAll = !this.root.plugin.allowOnHeadersStopIteration;
    const action =
      this.vm.call(this, callback, [this.id, headers.length, end ? 1 : 0], (result): HeadersAction => {
        if (this.vm.stopNextIteration || result > HeadersAction.StopAllIterationAndWatermark)
          return HeadersAction.StopAllIterationAndWatermark;
        return result === HeadersAction.StopIteration && stopsAll ? HeadersAction.StopAllIterationAndWatermark : result;
      }) ?? HeadersAction.Continue;
    if (direction.state !== "headers" || this.#over) return;
    if (action === HeadersAction.Continue) this.#continue(direction);
    else direction.state = action === HeadersAction.StopIteration ? "stopped" : "stopped all";
  }

  #bodyArrives(direction: Direction, callback: string, bytes: Uint8Array, end: boolean): void {
    if (this.#over) {
      if (direction === this.#response || this.#local) return;
      throw new Error(`HTTP stream ${this.id} is over`);
    }
    direction.ended ||= end;
    if (direction.state === "stopped all") {
      direction.kept = concat(direction.kept, bytes);
      return;
    }
    if (direction.keeping && direction.kept.length + bytes.length > this.#bufferLimit) {
      this.#replyLocally({ status: 413, headers: [], body: new Uint8Array() });
      return;
    }
    if (direction.keeping) direction.kept = concat(direction.kept, bytes);
    direction.body = direction.keeping ? direction.kept : bytes;
    const action =
      this.vm.call(this, callback, [this.id, direction.body.length, end ? 1 : 0], (result): DataAction => {
        const stops = this.vm.stopNextIteration || result > DataAction.StopIterationNoBuffer;
        return stops ? DataAction.StopIterationNoBuffer : result;
      }) ?? DataAction.Continue;
    const left = direction.body ?? new Uint8Array();
    if (this.#over) return;
    if (action === DataAction.Continue) {
      direction.body = undefined;
      direction.keeping = false;
      direction.kept = left;
      this.#continue(direction);
    } else if (action === DataAction.StopIterationNoBuffer) {
      direction.keeping = false;
    } else {
      direction.kept = left;
      direction.keeping = true;
    }
  }

  #continue(direction: Direction): void {
    if (this.#over) return;
    direction.state = "going";
    direction.passedHeaders ??= direction.headers;
    direction.headers = undefined;
    direction.pass(direction.kept);
    direction.kept = new Uint8Array();
    if (direction === this.#response && direction.passedEnd) this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.delete(["proxy_on_log", "proxy_on_done", "proxy_on_delete"]);
  }

  #take(direction: Direction): Uint8Array {
    return concat(...direction.passed.splice(0));
  }
}

function bufferOf(direction: Direction): GuestBuffer {
  if (direction.body === undefined) return { bytes: new Uint8Array() };
  return {
    bytes: direction.body,
    replace: (bytes) => {
      direction.body = bytes;
      if (direction.keeping) direction.kept = bytes;
    },
  };
}
