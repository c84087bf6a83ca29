/**
 * YAML text to typed resources, each with the place it came from, and every problem with its line and field.
 *
 * One resource that cannot be read does not hide the problems of the others.
 */
import { type Document, LineCounter, parseAllDocuments, parseDocument } from "yaml";
import { type Lineage, readDocumentStart } from "./document-start.ts";
import { explainIssue } from "./explain-issue.ts";
import { fieldNames } from "./field-names.ts";
import { isForeign } from "./foreign-kinds.ts";
import { Origin } from "./origin.ts";
import { describe, type Problem } from "./problem.ts";
import { type Kind, type Resource, SCHEMAS } from "./schema.ts";
import { API_VERSION } from "./schema-parts.ts";

/** An alias may expand to so many nodes (the "billion laughs" of YAML). */
const MAX_ALIASES = 100;

/** One document gets so many problems told; finding the line of each costs a parse. */
export const MAX_PROBLEMS = 50;

export interface LocatedResource {
  readonly resource: Resource;
  readonly origin: Origin;
  /** As the document's first line says it: to be believed of a set that was listed by this service. */
  readonly lineage: Lineage;
}

export interface ParsedText {
  readonly resources: readonly LocatedResource[];
  readonly problems: readonly Problem[];
}

export function parseResources(text: string, source: string): ParsedText {
  const resources: LocatedResource[] = [];
  const problems: Problem[] = [];
  for (const { yaml, origin: written, lineage, place } of parseDocuments(text, source)) {
    const errors = [...yaml.errors, ...yaml.warnings];
    if (errors.length > 0) {
      const first = errors[0];
      problems.push({ ...place(first?.pos[0] ?? 0), path: "", message: `expected YAML: ${first?.message}` });
      continue;
    }
    const value = toValue(yaml);
    // Objects of the mesh may stand in the same file, and are no part of the policy.
    if (value === null || value === undefined || isForeign(value)) continue;
    const asked = withoutObserved(value);
    const origin = asked === value ? written : written.keeping(withoutObservedText(written.kept));
    const resource = readResource(asked, origin, problems);
    if (resource !== undefined) resources.push({ resource, origin, lineage });
  }
  return { resources, problems };
}

export interface ParsedDocument {
  readonly yaml: Document.Parsed;
  readonly origin: Origin;
  readonly lineage: Lineage;
  readonly place: (offset: number) => Pick<Problem, "source" | "document" | "line">;
}

export function* parseDocuments(text: string, source: string): Generator<ParsedDocument> {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  if (!Array.isArray(parsed)) return;
  let end = 0;
  for (const [index, yaml] of parsed.entries()) {
    const document = index + 1;
    // Comments before the first document are its own.
    const start = index === 0 && !yaml.directives.yaml.explicit ? 0 : Math.max(end, yaml.range[0]);
    end = yaml.range[2];
    const whole = text.slice(start, end).replace(/^\.\.\.[ \t]*$/m, "");
    const { prelude, content, lineage } = readDocumentStart(whole);
    // With comments before its first line, a document is located by all of it, and kept without that line.
    const located = prelude === "" ? content : whole;
    const { line } = lines.linePos(start + whole.length - located.length);
    const origin = new Origin(source, document, located, line, prelude + content);
    yield { yaml, origin, lineage, place: (offset) => ({ source, document, line: lines.linePos(offset).line }) };
  }
}

/** What an alias bomb would expand to is no value: an error text, which no resource is. */
export function toValue(yaml: Document.Parsed): unknown {
  try {
    return yaml.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * `status` and `metadata.generation` are what the service says of a resource: who edits what `get -o yaml` has printed
 * sends them back, and they say nothing.
 */
function withoutObserved(value: unknown): unknown {
  if (!isMap(value)) return value;
  const { status, ...resource } = value;
  const { metadata } = resource;
  if (!isMap(metadata) || metadata.generation === undefined) return status === undefined ? value : resource;
  const { generation, ...named } = metadata;
  return { ...resource, metadata: named };
}

function withoutObservedText(text: string): string {
  const yaml = parseDocument(text);
  yaml.delete("status");
  yaml.deleteIn(["metadata", "generation"]);
  return yaml.toString({ lineWidth: 0 });
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readResource(value: unknown, origin: Origin, problems: Problem[]): Resource | undefined {
  if (typeof value !== "object" || Array.isArray(value)) {
    const message = `expected a resource (apiVersion, kind, metadata, spec), got ${describe(value)}`;
    problems.push(origin.problem([], message));
    return undefined;
  }
  const { apiVersion, kind } = value as { apiVersion?: unknown; kind?: unknown };
  if (apiVersion !== API_VERSION) {
    problems.push(origin.problem(["apiVersion"], `expected ${API_VERSION}, got ${describe(apiVersion)}`));
    return undefined;
  }
  if (typeof kind !== "string" || !Object.hasOwn(SCHEMAS, kind)) {
    const kinds = Object.keys(SCHEMAS).join(", ");
    problems.push(origin.problem(["kind"], `expected one of ${kinds}, got ${describe(kind)}`));
    return undefined;
  }
  const schema = SCHEMAS[kind as Kind];
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const explained = result.error.issues.flatMap((issue) => explainIssue(issue, value, (at) => fieldNames(schema, at)));
  for (const { path, message, key } of explained.slice(0, MAX_PROBLEMS)) {
    problems.push(key ? origin.keyProblem(path, message) : origin.problem(path, message));
  }
  if (explained.length > MAX_PROBLEMS) {
    problems.push(
      origin.problem([], `expected fewer problems, got ${explained.length - MAX_PROBLEMS} more than these`),
    );
  }
  return undefined;
}
