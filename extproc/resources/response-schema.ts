/** How a denial looks. */

import { z } from "zod";
import { type AdmissionRule, admission } from "./admission.ts";
import { address, extraText, ttl } from "./field.ts";
import { fail, list } from "./schema-parts.ts";

/** INFO-CODEs of RFC 8914, section 4, that a policy has reason to give. */
export const EDE_CODES = { ForgedAnswer: 4, Blocked: 15, Censored: 16, Filtered: 17, Prohibited: 18 } as const;

/** What a response carries over UDP without being cut. */
const MAX_ADDRESSES = 16;

const responseFields = z
  .strictObject({
    code: z.enum(["NXDOMAIN", "NODATA", "REFUSED", "Drop", "Truncate"]).optional(),
    addresses: list(address).max(MAX_ADDRESSES).optional(),
    ede: z
      .union([
        z.enum(["Blocked", "Filtered", "Prohibited", "Censored", "ForgedAnswer"]),
        z.strictObject({ code: z.int().min(0).max(65_535), text: extraText.optional() }),
      ])
      .optional(),
    ttl: ttl.optional(),
  })
  .superRefine(({ code, addresses, ede }, context) => {
    if (addresses && code) fail(context, ["code"], `expected no code beside addresses, got ${code}`);
    if (ede !== undefined && code === "Drop")
      fail(context, ["ede"], "expected no ede with Drop, which answers nothing, got one");
  });

export const response = admission(responseFields, {
  rule: "!has(self.addresses) || !has(self.code)",
  message: "expected no code beside addresses",
});

/** Of a rule: it would deny every type (RFC 8020). */
export const NO_NXDOMAIN_BESIDE_TYPES: AdmissionRule = {
  rule: '!has(self.match.types) || !has(self.response) || !has(self.response.code) || self.response.code != "NXDOMAIN"',
  message: "expected NODATA or REFUSED in response.code where match has types",
};

export type Response = z.output<typeof response>;
