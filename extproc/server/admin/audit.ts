/**
 * What is written down of every request that would change something, also of those that were refused.
 */
import type { IncomingMessage } from "node:http";
import type { ApplyOutcome } from "../control.ts";
import type { Caller } from "./caller.ts";
import { authorOf } from "./change.ts";
import type { Operation } from "./route.ts";

/** Takes one line; resolved when it is on disk, or cannot be. */
export interface AuditLog {
  write(line: string): Promise<void>;
}

/** What is known of a request when it is answered. */
export interface AuditedRequest {
  readonly message: IncomingMessage;
  /** The listener's endpoint, for a caller without an address. */
  readonly listener: string;
  readonly query: URLSearchParams;
  readonly caller: Caller | undefined;
  readonly outcome: ApplyOutcome | undefined;
  readonly status: number;
  readonly error: string | undefined;
}

const MAX_TEXT = 1000;

/** What a viewer may ask changes nothing. */
export function isAudited({ method = "" }: IncomingMessage, operation: Operation | undefined): boolean {
  return method !== "GET" && method !== "HEAD" && operation?.role !== "viewer";
}

/** One line of JSON; times are UTC. */
export function formatAudit(now: number, request: AuditedRequest): string {
  const { message, listener, query, caller, outcome, status, error } = request;
  const { remoteAddress, remotePort } = message.socket;
  const author = caller && authorOf(caller, query.get("author")?.slice(0, MAX_TEXT) ?? "");
  return JSON.stringify({
    time: new Date(now).toISOString(),
    who: author?.name ?? "",
    by: author?.by ?? "nothing",
    role: caller?.role ?? "",
    tenant: caller?.tenant,
    from: remoteAddress === undefined ? listener : `${remoteAddress} port ${remotePort}`,
    method: message.method,
    path: (message.url ?? "").split("?", 1)[0]?.slice(0, MAX_TEXT),
    reason: query.get("reason")?.slice(0, MAX_TEXT) ?? "",
    dryRun: query.get("dryRun") === "true" || query.get("dryRun") === "",
    result: resultOf(status, outcome),
    status,
    error,
    ...describeOutcome(outcome),
  });
}

function resultOf(status: number, outcome: ApplyOutcome | undefined): string {
  if (status >= 500) return "failed";
  if (status >= 400) return "refused";
  return outcome?.kind === "applied" && !outcome.changed ? "unchanged" : "done";
}

function describeOutcome(outcome: ApplyOutcome | undefined): object {
  if (outcome === undefined || outcome.kind === "read_only") return {};
  if (outcome.kind !== "applied") return { before: outcome.before.sequence, after: outcome.before.sequence };
  const changes = outcome.changes.filter(({ change }) => change !== "unchanged");
  return {
    before: outcome.before.sequence,
    after: outcome.dryRun ? outcome.before.sequence : outcome.version.sequence,
    changes: changes.map(({ kind, name, change }) => `${kind}/${name} ${change}`),
  };
}
