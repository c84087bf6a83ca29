/**
 * A service on Unix sockets of its own, on a clock that the test moves, and everybody who calls it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials, Client as GrpcClient, type Metadata } from "@grpc/grpc-js";
import { decide } from "../../../extproc/decide/decide.ts";
import type { Endpoint } from "../../../extproc/endpoint.ts";
import type { AdminListener } from "../../../extproc/server/admin/admin-server.ts";
import type { Credentials } from "../../../extproc/server/admin/credentials.ts";
import { type Service, type ServiceOptions, startService } from "../../../extproc/server/service.ts";
import type { PolicySource } from "../../../extproc/store/policy-source.ts";
import type { PolicyStore } from "../../../extproc/store/policy-store.ts";
import { noQueryLog } from "../../../extproc/telemetry/query-log.ts";
import { FakeClock } from "./fake-clock.ts";
import { POLICY } from "./policies.ts";
import { openTestStore } from "./test-store.ts";

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface HttpCall {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Another listener than the admin socket. */
  readonly endpoint?: Endpoint;
}

export class Harness {
  readonly clock = new FakeClock();
  /** Has POLICY as version 1. */
  store!: PolicyStore;
  readonly errors: string[] = [];
  service!: Service;
  #folder = "";
  readonly #clients: GrpcClient[] = [];

  static async start(
    options: Partial<ServiceOptions> & {
      readonly moreAdmin?: AdminListener[];
      /** Of the admin socket. */
      readonly adminCredentials?: Credentials;
      /** Another source than the store itself. */
      readonly sourceOf?: (store: PolicyStore) => PolicySource;
    } = {},
  ): Promise<Harness> {
    const { moreAdmin = [], adminCredentials, sourceOf = (store) => store, ...rest } = options;
    const harness = new Harness();
    harness.#folder = await mkdtemp(join(tmpdir(), "dnspolicy-test-"));
    harness.store = await openTestStore(harness.storeDirectory, POLICY, harness.clock);
    const note = (fields: object, message: string) => {
      harness.errors.push(`${message} ${JSON.stringify(fields)}`);
    };
    harness.service = await startService({
      listen: [{ kind: "unix", path: harness.socket }],
      admin: [
        { endpoint: { kind: "unix", path: join(harness.#folder, "admin.sock") }, credentials: adminCredentials },
        ...moreAdmin,
      ],
      defaultCa: "-----BEGIN CERTIFICATE-----\n",
      lastGoodMs: 600_000,
      source: sourceOf(harness.store),
      decide,
      queryLog: noQueryLog,
      clock: harness.clock,
      logger: { info: () => {}, warn: () => {}, error: note },
      later: setImmediate,
      ...rest,
    });
    return harness;
  }

  get storeDirectory(): string {
    return join(this.#folder, "store");
  }

  get socket(): string {
    return join(this.#folder, "grpc.sock");
  }

  client(): GrpcClient {
    const client = new GrpcClient(`unix:${this.socket}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#clients.push(client);
    return client;
  }

  /** Over the admin socket, or the TCP listener that is given. */
  http({ method = "GET", path, headers = {}, body, endpoint }: HttpCall): Promise<HttpReply> {
    const target = endpoint ?? this.service.admin[0];
    const where =
      target?.kind === "tcp"
        ? { host: target.host, port: target.port }
        : { socketPath: target?.kind === "unix" ? target.path : "" };
    return new Promise((resolve, reject) => {
      const call = request({ ...where, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        // A stream of events has no end.
        if (response.headers["content-type"]?.startsWith("text/event-stream")) {
          response.once("data", () => call.destroy());
          response.on("error", () => {});
          response.once("close", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text: Buffer.concat(chunks).toString(),
            }),
          );
          return;
        }
        response.on("error", reject);
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          });
        });
      });
      call.on("error", reject);
      call.end(body);
    });
  }

  apply(text: string, query = ""): Promise<HttpReply> {
    const headers = { "content-type": "application/yaml" };
    return this.http({ method: "PUT", path: `/v1/resources${query}`, headers, body: text });
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.service.close();
    await rm(this.#folder, { recursive: true });
  }
}

export type { Metadata };

/** Resolved when the condition holds: looked at after each turn of the event loop. */
export async function until(condition: () => boolean, what: string, turns = 1e6): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (condition()) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error(`expected ${what}, and waited in vain`);
}
