/**
 * A kind as the schema of a CustomResourceDefinition: OpenAPI v3 as Kubernetes takes it ("structural"), which knows fewer
 * words than JSON Schema, asks for a type everywhere, and has CEL for what fields say about each other.
 *
 * It never refuses what the service would take. What it lets through all the same, the service says of the object
 * (status): what a text has to look like inside, and everything that objects say about each other.
 */
import { z } from "zod";
import { extensionsOf } from "./admission.ts";
import { type Kind, SCHEMAS } from "./schema.ts";

export type StructuralSchema = Readonly<Record<string, unknown>>;

interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly exclusiveMinimum?: number;
}

/** They mean the same in both. */
const KEPT = [
  "type",
  "enum",
  "pattern",
  "required",
  "minItems",
  "maxItems",
  "minProperties",
  "minimum",
  "maximum",
  "x-kubernetes-validations",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
];

/** Of a whole object but its status. Of its metadata, Kubernetes lets a schema speak of the name alone. */
export function structuralSchema(kind: Kind): StructuralSchema {
  const schema = z.toJSONSchema(SCHEMAS[kind], {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => void Object.assign(jsonSchema, extensionsOf(zodSchema)),
  }) as JsonSchema;
  const { metadata, ...fields } = schema.properties ?? {};
  const name = metadata?.properties?.name;
  return {
    ...convert({ ...schema, properties: fields, required: ["spec"] }),
    properties: {
      ...convertAll(fields),
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object", ...(name && { properties: { name: convert(name) } }) },
    },
  };
}

function convert(schema: JsonSchema): StructuralSchema {
  if (schema.anyOf) return convertUnion(schema.anyOf);
  const kept = Object.fromEntries(KEPT.flatMap((word) => (schema[word] === undefined ? [] : [[word, schema[word]]])));
  const { properties, additionalProperties, items, prefixItems, exclusiveMinimum } = schema;
  return {
    ...kept,
    ...(schema.const !== undefined && { enum: [schema.const] }),
    ...(exclusiveMinimum !== undefined && { minimum: exclusiveMinimum, exclusiveMinimum: true }),
    ...(items && { items: convert(items) }),
    ...(prefixItems?.[0] && {
      items: convert(prefixItems[0]),
      minItems: prefixItems.length,
      maxItems: prefixItems.length,
    }),
    ...(properties && { properties: convertAll(properties) }),
    ...(typeof additionalProperties === "object" && { additionalProperties: convert(additionalProperties) }),
  };
}

function convertAll(properties: Readonly<Record<string, JsonSchema>>): Record<string, StructuralSchema> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, convert(schema)]));
}

/** A word, or a map for who says more: Kubernetes knows no such type, but a pattern is asked of texts alone. */
function convertUnion(schemas: readonly JsonSchema[]): StructuralSchema {
  const words = schemas.flatMap(({ enum: words }) => (Array.isArray(words) ? (words as string[]) : []));
  const map = schemas.find(({ properties }) => properties !== undefined);
  return {
    "x-kubernetes-preserve-unknown-fields": true,
    pattern: `^(${words.join("|")})$`,
    ...(map?.properties && { properties: convertAll(map.properties) }),
  };
}
