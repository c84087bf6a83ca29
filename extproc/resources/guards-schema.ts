/** Built-in guards, each a line: for one tenant, or in Settings for all that say nothing themselves. */

import { z } from "zod";
import { pattern } from "./field.ts";
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
export const guards = z.strictObject({ rebinding: guard.optional(), bypass: guard.optional() });

export type Guards = z.output<typeof guards>;
