/** A zone of another name server, of which this service is a secondary. */

import { z } from "zod";
import { filePath, name, serverAddress } from "./field.ts";
import { list } from "./schema-parts.ts";

/** RFC 8945, section 6; those that are weak are left out. */
const TSIG_ALGORITHMS = ["hmac-sha256", "hmac-sha384", "hmac-sha512"] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

/** Where a zone is fetched from, and by which secret (RFC 8945). */
export const transfer = z.strictObject({
  primaries: list(z.strictObject({ address: serverAddress, port: z.int().min(1).max(65_535).default(53) })).max(8),
  zone: name.transform(({ text }) => text),
  tsig: z
    .strictObject({
      name: name.transform(({ text }) => text),
      algorithm: z.enum(TSIG_ALGORITHMS).default("hmac-sha256"),
      /** Of which the content is the secret in base64. */
      secretFile: filePath,
    })
    .optional(),
});
