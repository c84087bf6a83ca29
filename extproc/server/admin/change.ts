/**
 * What every change is asked with, and what came of it as a reply.
 */
import type { Change } from "../../compile/change.ts";
import type { ApplyOptions } from "../../store/policy-store.ts";
import type { Author, Version } from "../../store/version.ts";
import type { ApplyOutcome } from "../control.ts";
import type { Caller } from "./caller.ts";
import { type AdminRequest, entityTag, type Reply, readFlag, readIfMatch, readText } from "./exchange.ts";
import { HttpError } from "./http-error.ts";
import { describeApplied } from "./status.ts";

/** `?dryRun`, `?reason`, `?author` and If-Match. */
export function readApplyOptions({ message, query, caller }: AdminRequest): ApplyOptions {
  return {
    dryRun: readFlag(query, "dryRun"),
    author: authorOf(caller, readText(query, "author")),
    reason: readText(query, "reason"),
    ifVersions: readIfMatch(message),
  };
}

/** Who came with a token or a certificate is who that says; who came by the socket may say a name. */
export function authorOf({ name, by }: Caller, claimed: string): Author {
  if (by !== "claim") return { name, by };
  return { name: claimed === "" ? "unnamed" : claimed, by };
}

/** Editors change what is their tenant's. */
export function limitOf({ role, tenant }: Caller): Pick<Change, "onlyTenant"> {
  return role === "editor" ? { onlyTenant: tenant } : {};
}

/** 200: every worker obeys. 202: it is in force, and some worker may still answer by an older policy. */
export async function reply({ note }: AdminRequest, change: Promise<ApplyOutcome>): Promise<Reply> {
  const outcome = await change;
  note(outcome);
  switch (outcome.kind) {
    case "applied": {
      for (const { kind, name, change } of outcome.changes) {
        if (change === "absent") throw new HttpError(404, `expected a resource in force, got ${kind}/${name}`);
      }
      const headers = entityTag(outcome.dryRun ? outcome.before.sequence : outcome.version.sequence);
      return { status: outcome.behind.length === 0 ? 200 : 202, body: describeApplied(outcome), headers };
    }
    case "read_only":
      throw new HttpError(409, outcome.message);
    case "conflict":
      throw new HttpError(409, "the store has another writer: nothing was changed", outcome);
    case "unavailable":
      throw new HttpError(503, "the store cannot be reached or written", outcome);
    case "stale":
      throw new HttpError(412, `${outcome.problems[0]?.message}, ${describeVersion(outcome.before)}`, {
        headers: entityTag(outcome.before.sequence),
        details: { inForce: outcome.before },
      });
    case "unknown":
      throw new HttpError(404, outcome.problems[0]?.message ?? "");
    case "forbidden":
      throw new HttpError(403, "this is not yours to change: nothing was changed", outcome);
    case "invalid":
      throw new HttpError(400, "the policy would not be valid: nothing was changed", outcome);
  }
}

function describeVersion({ author, time, reason }: Version): string {
  return `made by ${author.name}${time === "" ? "" : ` at ${time}`}${reason === "" ? "" : `: ${reason}`}`;
}
