/**
 * grpc.health.v1.Health: serving when there is a policy and the service is not about to stop. Open to everybody.
 */
import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import type { HealthCheckRequest, HealthCheckRequest__Output } from "../gen/types/grpc/health/v1/HealthCheckRequest.ts";
import type {
  HealthCheckResponse,
  HealthCheckResponse__Output,
} from "../gen/types/grpc/health/v1/HealthCheckResponse.ts";
import { method } from "../messages/protos.ts";
import type { GrpcService } from "./grpc-service.ts";

export const healthService = {
  Check: method<HealthCheckRequest, HealthCheckRequest__Output, HealthCheckResponse, HealthCheckResponse__Output>(
    "grpc.health.v1.Health",
    "Check",
  ),
  Watch: method<HealthCheckRequest, HealthCheckRequest__Output, HealthCheckResponse, HealthCheckResponse__Output>(
    "grpc.health.v1.Health",
    "Watch",
  ),
};

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/** Watchers beyond this are refused. */
const MAX_WATCHERS = 1000;

type Watcher = ServerWritableStream<HealthCheckRequest__Output, HealthCheckResponse>;

export class Health {
  /** Full names of the services; the empty one is the whole. */
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Set<Watcher>();
  #serving = false;

  constructor(services: readonly string[]) {
    this.#services = new Set(["", ...services]);
  }

  get serving(): boolean {
    return this.#serving;
  }

  set serving(serving: boolean) {
    if (serving === this.#serving) return;
    this.#serving = serving;
    for (const watcher of this.#watchers) watcher.write({ status: this.#status });
  }

  get grpc(): GrpcService {
    const implementation = {
      Check: (
        call: ServerUnaryCall<HealthCheckRequest__Output, HealthCheckResponse>,
        callback: sendUnaryData<HealthCheckResponse>,
      ) => {
        if (this.#services.has(call.request.service)) callback(null, { status: this.#status });
        else callback({ code: status.NOT_FOUND, details: "expected a service of this server" });
      },
      Watch: (call: Watcher) => this.#watch(call),
    };
    return { definition: healthService, implementation };
  }

  close(): void {
    this.serving = false;
    for (const watcher of [...this.#watchers]) watcher.end();
  }

  get #status(): 1 | 2 {
    return this.#serving ? SERVING : NOT_SERVING;
  }

  #watch(call: Watcher): void {
    call.on("error", () => {});
    if (this.#watchers.size >= MAX_WATCHERS) {
      call.emit("error", { code: status.RESOURCE_EXHAUSTED, details: `expected at most ${MAX_WATCHERS} watchers` });
      return;
    }
    // The protocol keeps the stream of an unknown service open: it might be added.
    if (!this.#services.has(call.request.service)) {
      call.write({ status: SERVICE_UNKNOWN });
      return;
    }
    this.#watchers.add(call);
    call.on("cancelled", () => this.#watchers.delete(call));
    call.on("close", () => this.#watchers.delete(call));
    call.write({ status: this.#status });
  }
}
