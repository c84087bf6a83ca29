/**
 * A file of YAML that is no resource, as flags name them: one value, and what is wrong with it, by its lines.
 */
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { explainIssue } from "./explain-issue.ts";
import { fieldNames } from "./field-names.ts";
import { Origin } from "./origin.ts";
import type { Problem } from "./problem.ts";

export type ReadFile<T> =
  | { readonly value: T; readonly origin: Origin; readonly problems?: undefined }
  | { readonly problems: readonly Problem[] };

/** `source` is what problems call it. */
export function parseFile<S extends z.ZodType>(text: string, source: string, schema: S): ReadFile<z.output<S>> {
  const origin = new Origin(source, 0, text, 1);
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = yaml.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    return { problems: [{ source, document: 0, line, path: "", message: `expected YAML: ${error.message}` }] };
  }
  const value: unknown = yaml.toJS();
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data, origin };
  const explained = result.error.issues.flatMap((issue) => explainIssue(issue, value, (at) => fieldNames(schema, at)));
  return { problems: explained.map(({ path, message }) => origin.problem(path, message)) };
}
