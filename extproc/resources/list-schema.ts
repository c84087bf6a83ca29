/** A list of names that rules refer to, and where it is kept: here, in a file, or in a zone of another name server. */

import { z } from "zod";
import { admission } from "./admission.ts";
import { checked, pattern } from "./field.ts";
import { fail, list, resource } from "./schema-parts.ts";
import { transfer } from "./transfer-schema.ts";

/** More of them are a file's: a set is sent, kept and compared as a whole. */
export const MAX_INLINE = 10_000;

const path = checked((text) =>
  /^[^\0\n]{1,1024}$/.test(text)
    ? undefined
    : "a path of at most 1024 characters, absolute or below the directory of lists",
);

const listFields = z
  .strictObject({
    /** Plain: a name or a wildcard a line; Hosts: as /etc/hosts; RPZ: a zone file of a response policy zone. */
    format: z.enum(["Plain", "Hosts", "RPZ"]).optional(),
    /** Each name of the list stands for all names below it, too. */
    subdomains: z.boolean().default(false),
    inline: list(pattern).max(MAX_INLINE).optional(),
    file: path.optional(),
    transfer: transfer.optional(),
  })
  .superRefine(({ format, subdomains, inline, file, transfer }, context) => {
    const places = [inline, file, transfer].filter((place) => place !== undefined).length;
    if (places !== 1) {
      fail(context, [], `expected inline, file or transfer, got ${places === 0 ? "none of them" : "several"}`);
    }
    if (transfer && format !== undefined && format !== "RPZ") {
      fail(context, ["format"], `expected RPZ beside transfer, got ${format}`);
    }
    if (inline && format !== undefined && format !== "Plain")
      fail(context, ["format"], `expected no format beside inline, got ${format}`);
    if (subdomains && (format === "RPZ" || transfer)) {
      fail(context, ["subdomains"], "expected no subdomains with format RPZ, which says them by wildcards of its own");
    }
  });

const listSpec = admission(
  listFields,
  {
    rule: "[has(self.inline), has(self.file), has(self.transfer)].filter(there, there).size() == 1",
    message: "expected inline, file or transfer, one of them",
  },
  {
    rule: '!has(self.format) || !has(self.transfer) || self.format == "RPZ"',
    message: "expected format RPZ beside transfer",
  },
  {
    rule: '!has(self.format) || !has(self.inline) || self.format == "Plain"',
    message: "expected no format beside inline",
  },
  {
    rule: '!has(self.subdomains) || !self.subdomains || !(has(self.transfer) || (has(self.format) && self.format == "RPZ"))',
    message: "expected no subdomains with format RPZ, which says them by wildcards of its own",
  },
).transform(({ format, ...spec }) => ({ format: format ?? (spec.transfer ? "RPZ" : "Plain"), ...spec }));

export const listSchema = resource("NameList", listSpec);

export type NameList = z.output<typeof listSchema>;
