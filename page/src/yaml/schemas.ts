/**
 * The JSON Schemas of the kinds of resources, as this service describes them.
 */
import { signal } from "@preact/signals";
import { ask } from "../api/ask.ts";
import { KIND_ORDER } from "../policies/kinds.ts";

/** As far as completion looks into it. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly readOnly?: boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** By kind; empty until the service has said. */
export const schemas = signal<Readonly<Record<string, JsonSchema>>>({});

export async function fetchSchemas(): Promise<void> {
  if (Object.keys(schemas.value).length > 0) return;
  const { components } = await ask<{ components: { schemas: Record<string, JsonSchema> } }>("/v1/openapi.json");
  const kinds = Object.entries(components.schemas).filter(
    ([kind, schema]) => schema.properties?.kind?.const === kind && schema.properties.apiVersion !== undefined,
  );
  kinds.sort(([a], [b]) => KIND_ORDER.indexOf(a) - KIND_ORDER.indexOf(b));
  schemas.value = Object.fromEntries(kinds);
}

/** What a value under this key, or in this list, may be. */
export function stepInto(options: readonly JsonSchema[], step: string | number): JsonSchema[] {
  return options.flatMap(alternativesOf).flatMap((schema): JsonSchema[] => {
    if (typeof step === "number") return typeof schema.items === "object" ? [schema.items] : [];
    const next = schema.properties?.[step];
    return next === undefined ? [] : [next];
  });
}

export function alternativesOf(schema: JsonSchema): JsonSchema[] {
  const inner = schema.anyOf ?? schema.oneOf;
  return inner === undefined ? [schema] : inner.flatMap(alternativesOf);
}
