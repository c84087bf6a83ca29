/** Built-in guards, each a line: for one tenant, or in Settings for all that say nothing themselves. */

import { z } from "zod";
import { pattern, window } from "./field.ts";
import { COUNTED_BY, MAX_COUNT } from "./rule-schema.ts";
import { list } from "./schema-parts.ts";

/** What a verdict has room for beside a tenant's response rules. */
const MAX_EXCEPT = 32;

/** Audit: recorded where it would have denied. Off: not there, whatever Settings say. */
const guardMode = z.enum(["Deny", "Audit", "Off"]);

/** Answers of upstreams that lead to private addresses (DNS rebinding), but for names that have them. */
const guard = z
  .union([guardMode, z.strictObject({ mode: guardMode.default("Deny"), except: list(pattern).max(MAX_EXCEPT) })])
  .transform((guard) => (typeof guard === "string" ? { mode: guard, except: [] } : guard));

/** Names by which clients find resolvers that know no policy, but for those that they may find. */
const names = guard.optional();

const limitMode = z.enum(["Limit", "Audit", "Off"]);

/** So much that the longest name is not above it by itself. */
const MIN_OCTETS = 512;

/** Octets of information that names below one registered name may carry out, new names alone. */
const exfiltration = z
  .union([
    limitMode,
    z.strictObject({
      mode: limitMode.default("Limit"),
      octets: z.int().min(MIN_OCTETS).max(MAX_COUNT).default(8192),
      per: window.default(60_000),
    }),
  ])
  .transform((guard) => (typeof guard === "string" ? { mode: guard, octets: 8192, per: 60_000 } : guard));

/** Names that are not there, which a client (or all of the tenant's) may have upstreams asked for below one registered name. */
const nxdomain = z
  .union([
    limitMode,
    z.strictObject({
      mode: limitMode.default("Limit"),
      answers: z.int().min(1).max(MAX_COUNT).default(300),
      per: window.default(60_000),
      by: COUNTED_BY.default("Client"),
    }),
  ])
  .transform((guard) =>
    typeof guard === "string" ? { mode: guard, answers: 300, per: 60_000, by: "Client" as const } : guard,
  );

export const guards = z.strictObject({
  rebinding: guard.optional(),
  bypass: names,
  exfiltration: exfiltration.optional(),
  nxdomain: nxdomain.optional(),
});

export type Guards = z.output<typeof guards>;
