/** What all clients of a tenant may have together. */

import { z } from "zod";
import { window } from "./field.ts";
import { count } from "./rule-schema.ts";

const queries = z
  .strictObject({ rate: count, per: window.default(1000), burst: count.optional() })
  .transform(({ burst, ...rest }) => ({ ...rest, burst: burst ?? rest.rate }));

export const tenantLimits = z
  .strictObject({
    queries: queries.optional(),
    /** Names in a second that were not asked for in the second before. */
    uniqueNames: count.optional(),
    /** Queries that wait at a time. */
    pending: count.optional(),
    /** Over TCP, DoT and DoH, at a time. */
    connections: count.optional(),
    /** Percent of the answer cache. */
    cacheShare: z.int().min(1).max(80).optional(),
  })
  .refine((limits) => Object.keys(limits).length > 0, "expected at least one limit, got none")
  .meta({ minProperties: 1 });

export type TenantLimits = z.output<typeof tenantLimits>;
