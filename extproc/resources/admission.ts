/**
 * What a schema checks beside types and patterns, in words that the API server of Kubernetes understands as well: so it
 * refuses an object before anybody has it. Each rule stands beside the check that it repeats, and says no more.
 */
import { z } from "zod";

export interface AdmissionRule {
  /** In CEL; `self` is the value. */
  readonly rule: string;
  /** What is expected. */
  readonly message: string;
}

/** Keywords of Kubernetes' own in a schema. */
type Extensions = Readonly<Record<`x-kubernetes-${string}`, unknown>>;

const extensions = z.registry<{ readonly keywords: Extensions }>();

/** To be called last: what is made of a schema by refining it is another one. */
export function admission<S extends z.ZodType>(schema: S, ...rules: readonly AdmissionRule[]): S {
  return extend(schema, { "x-kubernetes-validations": rules });
}

/** A list that Kubernetes merges by the names of its items, each of which is there once. */
export function listByName<S extends z.ZodType>(schema: S): S {
  return extend(schema, { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] });
}

export function extensionsOf(schema: z.core.$ZodType): Extensions {
  return extensions.get(schema)?.keywords ?? {};
}

/** One of these fields at least. */
export function oneOf(first: string, ...others: readonly string[]): AdmissionRule {
  const fields = [first, ...others];
  const named = [fields.slice(0, -1).join(", "), ...fields.slice(-1)].filter((text) => text !== "");
  return { rule: fields.map((field) => `has(self.${field})`).join(" || "), message: `expected ${named.join(" or ")}` };
}

function extend<S extends z.ZodType>(schema: S, keywords: Extensions): S {
  extensions.add(schema, { keywords });
  return schema;
}
