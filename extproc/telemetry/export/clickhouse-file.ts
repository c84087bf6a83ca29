/**
 * The file of --clickhouse: where the table of queries is, and who may write to it.
 */
import { z } from "zod";
import { checked, filePath, keep } from "../../resources/field.ts";
import { parseFile, type ReadFile } from "../../resources/parse-file.ts";

/** What needs no quotes, nor can be taken for anything else. */
const identifier = checked((text) =>
  /^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(text) ? undefined : "1 to 63 letters, digits and underscores, not a digit first",
);

const url = checked((text) => {
  const { protocol = "", pathname = "", search = "", hash = "" } = URL.canParse(text) ? new URL(text) : {};
  const isOrigin = /^https?:$/.test(protocol) && `${pathname}${search}${hash}` === "/";
  return isOrigin ? undefined : "a URL as https://host.example:8443, with nothing after the port";
});

const file = z
  .strictObject({
    url,
    database: identifier.default("default"),
    table: identifier.default("dns_queries"),
    username: z.string().min(1).max(100).default("default"),
    passwordFile: filePath.optional(),
    /** Authorities to trust, instead of the public ones. */
    caFile: filePath.optional(),
    createTable: z.boolean().default(false),
    /** Milliseconds for which rows are kept. */
    keep: keep.default(30 * 86_400_000),
  })
  .superRefine(({ url, caFile }, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: ["url"], message });
    const { protocol, username, password } = new URL(url);
    if (caFile !== undefined && protocol !== "https:") refuse("expected https: where caFile says whom to trust");
    // No error shows a secret.
    if (username !== "" || password !== "") refuse("expected username and passwordFile, got a user in the URL");
  });

export type ClickHouseOptions = z.output<typeof file>;

export function parseClickHouse(text: string, source: string): ReadFile<ClickHouseOptions> {
  return parseFile(text, source, file);
}
