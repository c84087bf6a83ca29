/**
 * A TCP connection through the filter chain `[wasm, echo]`.
 *
 * As in Envoy, what the wasm filter does not let through stays in the read buffer and comes again with the next read;
 * continuing hands the read buffer to echo, which writes it to the client; at the end of what the client sends, echo
 * ends the connection with its next write.
 */
import { Action, BufferType, CloseType, type Property, Status, StreamType } from "./abi.ts";
import { Context, concat, type GuestBuffer } from "./context.ts";
import type { RootContext } from "./root-context.ts";

/** What the guest did would have ended the Envoy process. */
export class EnvoyCrash extends Error {
  override readonly name = "EnvoyCrash";
}

export interface ConnectionProperties {
  /** By path, segments joined by dots: `source.address`, `connection.requested_server_name`, … */
  properties?: Record<string, Property>;
  /** Known only when the TLS handshake is over, and so not in `proxy_on_new_connection`. */
  tlsProperties?: Record<string, Property>;
}

export class Connection extends Context {
  override readonly root: RootContext;
  readonly accepted: boolean;
  #properties: Map<string, Property>;
  readonly #tlsProperties: Record<string, Property>;
  #read: Uint8Array = new Uint8Array();
  #readIsVisible = false;
  #written: Uint8Array[] = [];
  #endOfRead = false;
  #closed: CloseType | undefined;
  /** The client does not read: a close that flushes waits until it does. */
  clientReads = true;
  #closeWaits = false;
  #writing = false;

  constructor(root: RootContext, { properties = {}, tlsProperties = {} }: ConnectionProperties = {}) {
    super(root.vm);
    this.root = root;
    this.#properties = new Map(Object.entries({ connection_id: this.id, "connection.id": this.id, ...properties }));
    this.#tlsProperties = tlsProperties;
    this.vm.call(this, "proxy_on_context_create", [this.id, root.id], () => undefined);
    const action = this.vm.call(this, "proxy_on_new_connection", [this.id], (result) => result);
    this.accepted = (action ?? Action.Continue) === Action.Continue;
  }

  /** Undefined while the connection is open. */
  get closedBy(): CloseType | undefined {
    return this.#closed;
  }

  /** Octets of the read buffer that the filter has neither taken nor let through. */
  get unread(): number {
    return this.#read.length;
  }

  /** The client sends; `end` closes its side. Answers what the filter did with it. */
  send(bytes: Uint8Array, end = false): Action {
    if (this.#closed !== undefined) throw new Error(`connection ${this.id} is closed`);
    for (const [path, value] of Object.entries(this.#tlsProperties)) this.#properties.set(path, value);
    this.#read = concat(this.#read, bytes);
    this.#readIsVisible = true;
    this.#endOfRead ||= end;
    const values = [this.id, this.#read.length, end ? 1 : 0];
    const action =
      this.vm.call(this, "proxy_on_downstream_data", values, (result) =>
        result === Action.Continue ? Action.Continue : Action.StopIteration,
      ) ?? Action.Continue;
    if (action === Action.Continue) {
      this.#readIsVisible = false;
      this.#echo();
    }
    return action;
  }

  /** Sends in pieces of a size. */
  sendChunked(bytes: Uint8Array, size: number): void {
    for (let at = 0; at < bytes.length; at += size) this.send(bytes.subarray(at, at + size));
  }

  /** What was written to the client since the last time. */
  take(): Uint8Array {
    const all = concat(...this.#written);
    this.#written = [];
    return all;
  }

  /** The client closes, or vanishes. */
  close(): void {
    if (this.#closed === undefined) this.#end(CloseType.Remote);
  }

  /** The client reads again: a close that waited goes through. */
  drain(): void {
    this.clientReads = true;
    if (this.#closeWaits) this.#end(CloseType.Local);
  }

  override buffer(type: BufferType): GuestBuffer | undefined {
    if (type !== BufferType.NetworkDownstreamData || !this.#readIsVisible) return super.buffer(type);
    return {
      bytes: this.#read,
      replace: (bytes) => {
        this.#read = bytes;
      },
    };
  }

  override property(path: string): Property | undefined {
    return this.#properties.get(path) ?? super.property(path);
  }

  override continueStream(type: StreamType): Status {
    if (type === StreamType.Upstream) return Status.Unimplemented;
    if (type === StreamType.Downstream) this.vm.afterCall(() => this.#echo());
    return Status.Ok;
  }

  override closeStream(type: StreamType): Status {
    if (type === StreamType.Downstream) this.vm.afterCall(() => this.#flushAndClose());
    return Status.Ok;
  }

  #echo(): void {
    if (this.#closed !== undefined || (this.#read.length === 0 && !this.#endOfRead)) return;
    this.#passWriteFilter();
    if (this.#read.length > 0) this.#written.push(this.#read);
    this.#read = new Uint8Array();
    if (this.#endOfRead) this.#flushAndClose();
  }

  /**
   * The wasm filter is a write filter too: a guest that exports `proxy_on_upstream_data` is called at every write,
   * before the octets have left the read buffer, and what was put off runs when that call returns. A second write of
   * the same connection in there is a null pointer in Envoy (seen in 1.40.0): the process ends.
   */
  #passWriteFilter(): void {
    if (this.#writing) throw new EnvoyCrash(`connection ${this.id} is continued while it is written to`);
    this.#writing = true;
    const values = [this.id, this.#read.length, this.#endOfRead ? 1 : 0];
    this.vm.call(this, "proxy_on_upstream_data", values, () => undefined);
    this.#writing = false;
  }

  #flushAndClose(): void {
    if (this.#closed !== undefined) return;
    if (this.clientReads) this.#end(CloseType.Local);
    else this.#closeWaits = true;
  }

  #end(by: CloseType): void {
    this.#closed = by;
    this.vm.call(this, "proxy_on_downstream_connection_close", [this.id, by], () => undefined);
    this.delete(["proxy_on_done", "proxy_on_log", "proxy_on_delete"]);
  }
}
