/**
 * Pieces of Envoy configuration as plain objects, and their YAML.
 *
 * A fragment is the JSON form of an Envoy message. What a reader could not guess from a setting is said with
 * `explain`, beside the setting, and comes out as a comment above it.
 */
import { Document, isMap, isPair, isScalar, isSeq, type Node } from "yaml";

export type Json = string | number | boolean | Config | Json[];
export type Config = { [field: string]: Json };

const reasons = new WeakMap<object, Record<string, string>>();

/** Says why fields of a fragment are as they are. */
export function explain<T extends Config>(fragment: T, comments: { [Field in keyof T]?: string }): T {
  reasons.set(fragment, { ...reasons.get(fragment), ...(comments as Record<string, string>) });
  return fragment;
}

/** An extension by name, with its typed configuration. */
export function extension(name: string, type: string, fields: Config = {}): Config {
  return { name, typed_config: typed(type, fields) };
}

/** A message inside a google.protobuf.Any. */
export function typed(type: string, fields: Config = {}): Config {
  const message = { "@type": `type.googleapis.com/${type}`, ...fields };
  const comments = reasons.get(fields);
  return comments ? explain(message, comments) : message;
}

/** The YAML of a configuration, with its comments, in lines of at most 120 columns. */
export function toYaml(config: Config, header: string): string {
  const document = new Document(config, { aliasDuplicateObjects: false });
  annotate(document.contents, config);
  document.commentBefore = lines(header);
  return document.toString({ lineWidth: 120, minContentWidth: 60 });
}

function annotate(node: unknown, value: Json): void {
  // Envoy's YAML reader is stricter than the standard about plain text inside braces.
  if (isScalar(node) && typeof value === "string" && !/^[\w./@ -]*$/.test(value)) {
    node.type = value.includes("\n") ? "BLOCK_LITERAL" : value.includes("\\") ? "QUOTE_SINGLE" : "QUOTE_DOUBLE";
  }
  if (isSeq(node) && Array.isArray(value)) {
    for (const [index, item] of value.entries()) annotate(node.items[index], item);
    node.flow = value.every((item) => typeof item === "string" || typeof item === "number");
    return;
  }
  if (!isMap(node) || typeof value !== "object" || Array.isArray(value)) return;
  const comments = reasons.get(value);
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const field = String(pair.key.value);
    const comment = comments?.[field];
    if (comment) (pair.key as Node).commentBefore = lines(comment);
    const child = value[field];
    if (child !== undefined) annotate(pair.value, child);
  }
  if (isShort(value)) node.flow = true;
}

/** Maps of a few plain values read better on one line. */
function isShort(value: Config): boolean {
  const entries = Object.entries(value);
  const bare = entries.every(([field, item]) => typeof item !== "object" && !reasons.get(value)?.[field]);
  return (
    bare &&
    !JSON.stringify(value).includes("\\n") &&
    JSON.stringify(value).length <= 76 &&
    !("name" in value && entries.length > 3)
  );
}

/** Comment text, wrapped, each line after the `#` that the writer puts. */
function lines(text: string): string {
  const wrapped: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.trim().split(/\s+/)) {
      if (line.length + word.length > 90) {
        wrapped.push(line);
        line = "";
      }
      line += ` ${word}`;
    }
    wrapped.push(line);
  }
  return wrapped.join("\n");
}
