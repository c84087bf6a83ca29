/**
 * The file of --webhooks: a YAML list of who is told of denials and guards, and of which.
 */
import { z } from "zod";
import { checked, filePath, httpUrl, resourceName, window } from "../../resources/field.ts";
import { parseFile, type ReadFile } from "../../resources/parse-file.ts";
import { describe } from "../../resources/problem.ts";
import { list } from "../../resources/schema-parts.ts";
import { DENIAL_KINDS } from "./denial.ts";

/** `policy`, or `policy/rule`. */
const rule = checked((text) =>
  /^[A-Za-z0-9._-]{1,63}(\/[A-Za-z0-9._-]{1,63})?$/.test(text) ? undefined : "a policy, or a rule as policy/rule",
);

const webhook = z.strictObject({
  name: resourceName,
  url: httpUrl,
  secretFile: filePath,
  /** Authorities to trust, instead of the public ones. */
  caFile: filePath.optional(),
  alerts: list(z.enum(DENIAL_KINDS)).default(["denied", "limited"]),
  tenants: list(resourceName).optional(),
  rules: list(rule).optional(),
  /** Milliseconds in which the same is one message. */
  window: window.default(10_000),
});

export type WebhookOptions = z.output<typeof webhook>;

const file = z
  .array(webhook)
  .min(1)
  .superRefine((webhooks, context) => {
    const names = webhooks.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      const first = names.indexOf(name);
      const message = `expected a name of its own, got ${describe(name)} of entry ${first + 1}`;
      if (first !== index) context.addIssue({ code: "custom", path: [index, "name"], message });
    }
  });

export function parseWebhooks(text: string, source: string): ReadFile<readonly WebhookOptions[]> {
  return parseFile(text, source, file);
}
