/**
 * Ending an Envoy without cutting a client off. Envoy itself ends at once on SIGTERM, and its filters are not told:
 * so readiness goes first, then listeners ask their connections to end, then the workers are told by way of the
 * policy service, and SIGTERM comes when clients have gone or patience has run out.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Endpoint } from "../envoy/options.ts";
import { send } from "./http.ts";

export interface Drain {
  /** Envoy's admin interface. */
  admin: Endpoint;
  /** Has the policy service send Drain to every worker. */
  tellWorkers: () => Promise<void>;
  patienceMs: number;
  /** What could not be done; the rest is done all the same. */
  onProblem?: (problem: string) => void;
}

/** Resolves when no client is left, or the patience is at its end; true for the first. */
export async function drain({ admin, tellWorkers, patienceMs, onProblem }: Drain): Promise<boolean> {
  const until = Date.now() + patienceMs;
  const attempt = async (what: string, step: () => Promise<unknown>): Promise<void> => {
    await step().catch((error: Error) => onProblem?.(`${what}: ${error.message}`));
  };
  await attempt("readiness", () => send(admin, { method: "POST", path: "/healthcheck/fail" }));
  await attempt("listeners", () => send(admin, { method: "POST", path: "/drain_listeners?graceful&skip_exit" }));
  await attempt("workers", tellWorkers);
  while (Date.now() < until) {
    const clients = await countClients(admin).catch(() => 0);
    if (clients === 0) return true;
    await pause(Math.min(200, Math.max(0, until - Date.now())));
  }
  return false;
}

/** Connections and UDP sessions of the public listeners. */
export async function countClients(admin: Endpoint): Promise<number> {
  const filter = "^(listener\\..*\\.downstream_cx_active|udp\\..*\\.downstream_sess_active)$";
  const { body } = await send(admin, { method: "GET", path: `/stats?filter=${encodeURIComponent(filter)}` });
  let clients = 0;
  for (const line of body.split("\n")) {
    const [name = "", value = ""] = line.split(": ");
    // Of the internal listeners, the tunnels between our own parts; of each worker, a part of the whole.
    if (/^listener\.(admin|envoy_internal_)|\.worker_\d+\./.test(name)) continue;
    clients += Number(value) || 0;
  }
  return clients;
}
