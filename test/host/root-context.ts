/**
 * The root context of a plugin: it has the tick, and its calls out, which only contexts below the same root see.
 */
import { type Headers, Status } from "./abi.ts";
import type { GrpcStream, HttpCall, HttpResponse } from "./callouts.ts";
import { Context } from "./context.ts";
import type { Vm } from "./vm.ts";

/** A plugin of the Envoy configuration. */
export interface Plugin {
  /** root_id. */
  name: string;
  configuration: string;
  /** `allow_on_headers_stop_iteration` of HTTP plugins; without it a pause at the headers holds the body back. */
  allowOnHeadersStopIteration?: boolean;
}

export class RootContext extends Context {
  override readonly root = this;
  readonly plugin: Plugin;
  readonly vmId: string;
  readonly vmConfiguration: string;
  configuring = false;
  tickMs = 0;
  nextTickMs = Number.POSITIVE_INFINITY;

  readonly httpCalls = new Map<number, HttpCall>();
  readonly grpcStreams = new Map<number, GrpcStream>();
  httpCallResponse: HttpResponse | undefined;
  grpcReceived: Uint8Array | undefined;
  grpcInitialMetadata: Headers | undefined;
  grpcTrailingMetadata: Headers | undefined;
  status: [code: number, message: string] = [0, ""];

  constructor(vm: Vm, plugin: Plugin, vmId: string, vmConfiguration: string) {
    super(vm);
    this.plugin = plugin;
    this.vmId = vmId;
    this.vmConfiguration = vmConfiguration;
  }

  /** Creates, starts and configures it; false where the guest refused. */
  start(): boolean {
    const accepted = (result: number) => result !== 0;
    this.vm.call(this, "proxy_on_context_create", [this.id, 0], () => undefined);
    const started = this.vm.call(this, "proxy_on_vm_start", [this.id, this.vmConfiguration.length], accepted) ?? true;
    if (!started) return false;
    this.configuring = true;
    const configured =
      this.vm.call(this, "proxy_on_configure", [this.id, this.plugin.configuration.length], accepted) ?? true;
    this.configuring = false;
    return configured;
  }

  tick(): void {
    this.vm.call(this, "proxy_on_tick", [this.id], () => undefined);
  }

  /** The response is there to be read only during the callback. */
  deliverHttpCall(call: HttpCall, response: HttpResponse | undefined): void {
    if (this.httpCalls.get(call.token) !== call) return;
    this.httpCallResponse = response;
    this.status = response ? [0, ""] : [Status.BrokenConnection, "reset"];
    this.vm.afterCall(() => {
      this.httpCallResponse = undefined;
      this.status = [0, ""];
      this.httpCalls.delete(call.token);
    });
    const sizes = response ? [response.headers.length, response.body.length, response.trailers.length] : [0, 0, 0];
    this.vm.call(this, "proxy_on_http_call_response", [this.id, call.token, ...sizes], () => undefined);
  }

  deliverGrpcInitialMetadata(stream: GrpcStream, metadata: Headers): void {
    this.grpcInitialMetadata = metadata;
    const values = [this.id, stream.token, metadata.length];
    this.vm.call(this, "proxy_on_grpc_receive_initial_metadata", values, () => undefined);
    this.grpcInitialMetadata = undefined;
  }

  deliverGrpcMessage(stream: GrpcStream, message: Uint8Array): void {
    this.grpcReceived = message;
    this.vm.afterCall(() => {
      this.grpcReceived = undefined;
    });
    this.vm.call(this, "proxy_on_grpc_receive", [this.id, stream.token, message.length], () => undefined);
  }

  deliverGrpcClose(stream: GrpcStream, code: number, message: string): void {
    this.status = [code, message];
    this.vm.afterCall(() => {
      this.status = [0, ""];
      // Envoy forgets a stream only when both sides have closed it.
      if (stream.closedByGuest) this.grpcStreams.delete(stream.token);
    });
    this.vm.call(this, "proxy_on_grpc_close", [this.id, stream.token, code], () => undefined);
  }
}
