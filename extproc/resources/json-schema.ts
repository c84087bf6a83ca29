/**
 * The kinds as JSON Schema (2020-12), for editors and other people's tools: which fields there are and what type they
 * have. What a text has to look like inside, and what fields say about each other, `dnspolicy validate` checks.
 */
import { z } from "zod";
import { type Kind, SCHEMAS } from "./schema.ts";
import { API_VERSION } from "./schema-parts.ts";

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

export type JsonSchema = Readonly<Record<string, unknown>>;

export const KINDS = Object.keys(SCHEMAS) as readonly Kind[];

export function kindSchema(kind: Kind): JsonSchema {
  return { $schema: DIALECT, title: `${kind} of ${API_VERSION}`, ...describeKind(kind) };
}

/** A resource of any kind. */
export function resourceSchema(): JsonSchema {
  return {
    $schema: DIALECT,
    title: `Resources of ${API_VERSION}`,
    oneOf: KINDS.map((kind) => ({ $ref: `#/$defs/${kind}` })),
    $defs: Object.fromEntries(KINDS.map((kind) => [kind, describeKind(kind)])),
  };
}

/** As people write it: defaults may be left out. The service's own words are ignored where they come back. */
export function describeKind(kind: Kind): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(SCHEMAS[kind], { io: "input" }) as Record<string, unknown>;
  const properties = schema.properties as { metadata: { properties: object } };
  const generation = { type: "integer", readOnly: true };
  return {
    ...schema,
    properties: {
      ...properties,
      metadata: { ...properties.metadata, properties: { ...properties.metadata.properties, generation } },
      status: { type: "object", readOnly: true },
    },
  };
}
