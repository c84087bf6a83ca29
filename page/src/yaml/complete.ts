/**
 * Completion by the schema: keys that a mapping may have, values that a key may have, names of resources that there are.
 */
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { resources } from "../api/service.ts";
import { placeAt } from "./place.ts";
import { alternativesOf, type JsonSchema, schemas, stepInto } from "./schemas.ts";

/** Keys whose values are names of resources. */
const REFERENCES: Readonly<Record<string, string>> = {
  upstream: "Upstream",
  tenants: "Tenant",
  nameLists: "NameList",
  lists: "NameList",
};

export function completeYaml(context: CompletionContext): CompletionResult | null {
  const { kind, path, present, value, from } = placeAt(context.state, context.pos);
  if (!context.explicit && from === context.pos && !value) return null;
  const options = optionsAt(kind, path);
  const isItem = path.at(-1) === 0;
  const completions = [
    ...(isItem || !value ? keysOf(options, present) : []),
    ...(isItem || value ? valuesOf(options, path) : []),
  ];
  if (completions.length === 0) return null;
  return { from, options: completions, validFor: /^[\w./*:-]*$/ };
}

function optionsAt(kind: string, path: readonly (string | number)[]): JsonSchema[] {
  const known = Object.values(schemas.value);
  const root = schemas.value[kind];
  const start = root === undefined ? known : [root];
  return path.reduce<JsonSchema[]>((options, step) => stepInto(options, step), start);
}

function keysOf(options: readonly JsonSchema[], present: ReadonlySet<string>): Completion[] {
  const keys = new Map<string, Completion>();
  for (const schema of options.flatMap(alternativesOf)) {
    for (const [key, inner] of Object.entries(schema.properties ?? {})) {
      if (present.has(key) || inner.readOnly === true) continue;
      const required = schema.required?.includes(key) === true;
      const { description } = inner;
      keys.set(key, {
        label: key,
        type: "property",
        detail: typeOf(inner),
        apply: `${key}: `,
        boost: required ? 1 : 0,
        ...(description === undefined ? {} : { info: description }),
      });
    }
  }
  return [...keys.values()];
}

function typeOf(schema: JsonSchema): string {
  const types = alternativesOf(schema).map(({ type, enum: choices, const: only }) =>
    only !== undefined
      ? String(only)
      : choices !== undefined
        ? "one of"
        : Array.isArray(type)
          ? type.join(" or ")
          : type,
  );
  return [...new Set(types)].join(" or ");
}

function valuesOf(options: readonly JsonSchema[], path: readonly (string | number)[]): Completion[] {
  // A list that is still to be opened has items of the kind that are wanted.
  const all = options.flatMap(alternativesOf);
  const items = all.flatMap((schema) => (typeof schema.items === "object" ? alternativesOf(schema.items) : []));
  const texts = [...all, ...items].flatMap(({ enum: choices = [], const: only, type }) => [
    ...choices.map(String),
    ...(only === undefined ? [] : [String(only)]),
    ...(type === "boolean" ? ["true", "false"] : []),
  ]);
  const key = [...path].reverse().find((step): step is string => typeof step === "string") ?? "";
  const kind = REFERENCES[key];
  const names = (resources.value?.resources ?? []).filter((each) => each.kind === kind).map(({ name }) => name);
  return [
    ...[...new Set(texts)].map((label) => ({ label, type: "constant" })),
    ...names.map((label) => ({ label, type: "variable", detail: kind ?? "" })),
  ];
}
