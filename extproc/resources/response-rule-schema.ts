/** A rule for what upstreams answer: what has to be in an answer, and what becomes of it. */

import { z } from "zod";
import { admission } from "./admission.ts";
import { network, pattern, recordType, ruleName } from "./field.ts";
import { NO_NXDOMAIN_BESIDE_TYPES, response } from "./response-schema.ts";
import { ttlBounds } from "./rule-schema.ts";
import { fail, list, mode } from "./schema-parts.ts";

/** One record of the answer meets all of this. `names` are those that were asked for. */
const responseMatch = z
  .strictObject({
    names: list(pattern).optional(),
    addresses: list(network).optional(),
    targets: list(pattern).optional(),
    types: list(recordType).optional(),
    ttl: ttlBounds.optional(),
  })
  .superRefine((match, context) => {
    if (Object.values(match).every((field) => field === undefined)) {
      fail(context, [], "expected names, addresses, targets, types or ttl, got none of them");
    }
  })
  .meta({ minProperties: 1 });

const responseRuleFields = z
  .strictObject({
    name: ruleName,
    mode,
    match: responseMatch,
    action: z.enum(["Accept", "Deny", "Pass"]),
    response: response.optional(),
  })
  .superRefine(({ match, action, response }, context) => {
    if (response && action !== "Deny") {
      fail(context, ["response"], `expected no response with action ${action}, got a map`);
    }
    if ((match.types || match.addresses) && response?.code === "NXDOMAIN") {
      fail(
        context,
        ["response", "code"],
        "expected NODATA or REFUSED where types or addresses are given, got NXDOMAIN, which would deny every type (RFC 8020)",
      );
    }
  });

export const responseRule = admission(
  responseRuleFields,
  { rule: '!has(self.response) || self.action == "Deny"', message: "expected response only with action Deny" },
  NO_NXDOMAIN_BESIDE_TYPES,
);

export type ResponseRule = z.output<typeof responseRule>;
