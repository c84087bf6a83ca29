/**
 * A path of the admin API: what may be done there, and by whom.
 */
import type { Role } from "./caller.ts";
import type { AdminRequest, Reply } from "./exchange.ts";

export type Method = "GET" | "PUT" | "POST" | "DELETE";

export interface Operation {
  readonly handler: (request: AdminRequest) => Reply | Promise<Reply>;
  /** Undefined for everybody, by any name: what a kubelet or a balancer asks. */
  readonly role: Role | undefined;
}

export interface Route {
  /** With variables as OpenAPI has them: each is one segment. */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<Method, Operation>>>;
}
