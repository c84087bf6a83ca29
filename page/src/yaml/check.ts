/**
 * What is wrong with a text, as far as its grammar and the schema tell; what rules say about each other, the service
 * tells when it is asked.
 */
import { type OutputUnit, Validator } from "@cfworker/json-schema";
import { type Document, isMap, isPair, type ParsedNode, parseAllDocuments } from "yaml";
import { type JsonSchema, schemas } from "./schemas.ts";

export interface Fault {
  readonly from: number;
  readonly to: number;
  readonly message: string;
}

const validators = new WeakMap<JsonSchema, Validator>();

export function checkYaml(text: string): Fault[] {
  const documents = parseAllDocuments(text, { prettyErrors: false });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const faults = document.errors.map(({ pos: [from, to], message }) => ({ from, to, message }));
    return faults.length > 0 ? faults : checkDocument(document as Document.Parsed<ParsedNode>);
  });
}

function checkDocument(document: Document.Parsed<ParsedNode>): Fault[] {
  const value = document.toJS() as { kind?: unknown } | null;
  if (value === null) return [];
  const kinds = Object.keys(schemas.value);
  if (kinds.length === 0) return [];
  const kind = typeof value === "object" ? String(value.kind ?? "") : "";
  const schema = schemas.value[kind];
  // Objects of the mesh have schemas of their owners.
  if (schema === undefined && isForeign(value)) return [];
  if (schema === undefined) {
    const message = `expected a kind of ${kinds.join(", ")}, got ${kind === "" ? "none" : kind}`;
    return [{ ...rangeOf(document, ["kind"]), message }];
  }
  const known = validators.get(schema) ?? new Validator(schema as object, "2020-12", false);
  validators.set(schema, known);
  const { valid, errors } = known.validate(value);
  return valid ? [] : deepest(errors).map((error) => toFault(document, error));
}

function isForeign(value: object): boolean {
  return "apiVersion" in value && typeof value.apiVersion === "string" && !value.apiVersion.startsWith("dns.mesh/");
}

/** Of what a value fails at, and all that contains it, the value alone; the first word about each. */
function deepest(errors: readonly OutputUnit[]): OutputUnit[] {
  const leaves = errors.filter(
    ({ instanceLocation: place }) => !errors.some((other) => other.instanceLocation.startsWith(`${place}/`)),
  );
  const first = new Map<string, OutputUnit>();
  for (const error of leaves) {
    const about = `${error.instanceLocation} ${error.keyword === "additionalProperties" ? error.error : ""}`;
    const known = first.get(about);
    if (known === undefined || known.keyword === "properties" || known.keyword === "anyOf") first.set(about, error);
  }
  return [...first.values()];
}

function toFault(document: Document.Parsed<ParsedNode>, { instanceLocation, keyword, error }: OutputUnit): Fault {
  const path = instanceLocation.replace(/^#\/?/, "").split("/").filter(Boolean).map(unescapePointer);
  const extra = keyword === "false" || keyword === "additionalProperties" ? "this is no field of it" : undefined;
  const where = path.length === 0 ? "" : `${path.join(".")}: `;
  const range = rangeOf(document, path, extra !== undefined);
  return { ...range, message: `${where}${extra ?? error.replace(/^Instance /, "the value ")}` };
}

function unescapePointer(segment: string): string {
  return decodeURIComponent(segment).replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Of the value at a path, or of its key; of what is there of the path where there is no such value. */
function rangeOf(
  document: Document.Parsed<ParsedNode>,
  path: readonly string[],
  key = false,
): Pick<Fault, "from" | "to"> {
  for (let length = path.length; length >= 0; length--) {
    const part = path.slice(0, length);
    const parent = document.getIn(part.slice(0, -1), true);
    if ((key || length < path.length) && length > 0 && isMap(parent)) {
      const pair = parent.items.find(
        (item) => isPair(item) && String((item.key as { value?: unknown }).value) === part.at(-1),
      );
      const range = (pair?.key as { range?: readonly number[] } | undefined)?.range;
      if (range !== undefined) return { from: range[0] ?? 0, to: range[1] ?? 0 };
    }
    const node = length === 0 ? document.contents : document.getIn(part, true);
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (range !== undefined) {
      const from = range[0] ?? 0;
      return { from, to: length === path.length ? (range[1] ?? from) : from + 1 };
    }
  }
  return { from: document.range[0], to: document.range[0] + 1 };
}
