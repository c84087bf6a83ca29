/** A list of names that rules refer to, and where it is kept: here, or in a file. */

import { z } from "zod";
import { checked, pattern } from "./field.ts";
import { fail, list, resource } from "./schema-parts.ts";

/** More of them are a file's: a set is sent, kept and compared as a whole. */
const MAX_INLINE = 10_000;

const path = checked((text) =>
  /^[^\0\n]{1,1024}$/.test(text)
    ? undefined
    : "a path of at most 1024 characters, absolute or below the directory of lists",
);

const listSpec = z
  .strictObject({
    /** Plain: a name or a wildcard a line; Hosts: as /etc/hosts; RPZ: a zone file of a response policy zone. */
    format: z.enum(["Plain", "Hosts", "RPZ"]).default("Plain"),
    /** Each name of the list stands for all names below it, too. */
    subdomains: z.boolean().default(false),
    inline: list(pattern).max(MAX_INLINE).optional(),
    file: path.optional(),
  })
  .superRefine(({ format, subdomains, inline, file }, context) => {
    if ((inline === undefined) === (file === undefined)) {
      fail(context, [], `expected inline or file, got ${inline === undefined ? "neither" : "both"}`);
    }
    if (inline && format !== "Plain") fail(context, ["format"], `expected no format beside inline, got ${format}`);
    if (subdomains && format === "RPZ") {
      fail(context, ["subdomains"], "expected no subdomains with format RPZ, which says them by wildcards of its own");
    }
  });

export const listSchema = resource("NameList", listSpec);

export type NameList = z.output<typeof listSchema>;
