/**
 * Calls out of the guest: HTTP calls and gRPC streams, to be answered by the test.
 */
import type { Headers } from "./abi.ts";
import { concat } from "./context.ts";
import { encodeText } from "./memory.ts";
import type { RootContext } from "./root-context.ts";

export interface HttpResponse {
  headers: Headers;
  body: Uint8Array;
  trailers: Headers;
}

/** Value of the first header of a name. */
export function headerOf(headers: Headers, name: string): string | undefined {
  return headers.find(([key]) => key === name)?.[1];
}

export class HttpCall {
  readonly root: RootContext;
  readonly token: number;
  readonly cluster: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Of the virtual clock. */
  readonly deadlineMs: number;
  #open = true;

  constructor(root: RootContext, token: number, cluster: string, headers: Headers, body: Uint8Array, deadline: number) {
    this.root = root;
    this.token = token;
    this.cluster = cluster;
    this.headers = headers;
    this.body = body;
    this.deadlineMs = deadline;
  }

  get open(): boolean {
    return this.#open;
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  respond(status: number, headers: Headers = [], body: Uint8Array | string = new Uint8Array()): void {
    this.#finish({
      headers: [[":status", String(status)], ...headers],
      body: typeof body === "string" ? encodeText(body) : body,
      trailers: [],
    });
  }

  /** Envoy's own answer to a call that nobody answered in time. */
  timeOut(): void {
    this.respond(504, [["content-type", "text/plain"]], "upstream request timeout");
  }

  /** Envoy's own answer where the cluster has no host or its connection failed. */
  unavailable(): void {
    this.respond(503, [["content-type", "text/plain"]], "upstream connect error or disconnect/reset before headers");
  }

  /** The stream was reset: the guest is told by a response without headers. */
  reset(): void {
    this.#finish(undefined);
  }

  #finish(response: HttpResponse | undefined): void {
    if (!this.#open) throw new Error(`HTTP call ${this.token} to ${this.cluster} was answered before`);
    this.#open = false;
    this.root.deliverHttpCall(this, response);
  }
}

export class GrpcStream {
  readonly root: RootContext;
  readonly token: number;
  readonly cluster: string;
  /** `package.Service/Method`. */
  readonly path: string;
  readonly metadata: Headers;
  /** Messages that the guest sent and nobody has taken. */
  readonly sent: Uint8Array[] = [];
  /** Called at each message instead of keeping it in `sent`. */
  onMessage: ((message: Uint8Array) => void) | undefined;
  /** The guest ended its side: by end of stream, close, or cancel. */
  closedByGuest = false;
  cancelled = false;
  /** The far side ended. */
  closedByPeer = false;

  constructor(root: RootContext, token: number, cluster: string, path: string, metadata: Headers) {
    this.root = root;
    this.token = token;
    this.cluster = cluster;
    this.path = path;
    this.metadata = metadata;
  }

  get open(): boolean {
    return !this.cancelled && !this.closedByPeer;
  }

  metadataOf(name: string): string | undefined {
    return headerOf(this.metadata, name);
  }

  /** Takes what the guest sent, one after the other. */
  takeAll(): Uint8Array[] {
    return this.sent.splice(0);
  }

  receive(message: Uint8Array): void {
    if (!this.open) throw new Error(`gRPC stream ${this.token} to ${this.cluster} is closed`);
    this.root.deliverGrpcMessage(this, message);
  }

  receiveInitialMetadata(metadata: Headers): void {
    this.root.deliverGrpcInitialMetadata(this, metadata);
  }

  /** The far side ends the stream: 0 is Ok, 2 an end without trailers, 14 a connection that failed. */
  close(code: number, message = ""): void {
    if (!this.open) throw new Error(`gRPC stream ${this.token} to ${this.cluster} is closed`);
    this.closedByPeer = true;
    this.root.deliverGrpcClose(this, code, message);
  }

  /** For the host: the guest sent a message. */
  accept(message: Uint8Array, end: boolean): void {
    if (end) this.closedByGuest = true;
    if (this.closedByPeer) return;
    if (this.onMessage) this.onMessage(message);
    else this.sent.push(message);
  }

  /** All that the guest sent so far, as one. */
  get bytes(): Uint8Array {
    return concat(...this.sent);
  }
}
