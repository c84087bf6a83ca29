/**
 * The field names that a schema has at a path: for the hint that a misspelt field deserves.
 */
import type { z } from "zod";
import type { Path } from "./problem.ts";

/** Internals of a schema, as far as they are walked here; what has none of these has no fields. */
interface Definition {
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
}

export function fieldNames(schema: z.core.$ZodType, path: Path): readonly string[] {
  const definition = schema._zod.def as Definition;
  if (definition.innerType) return fieldNames(definition.innerType, path);
  if (definition.in) return fieldNames(definition.in, path);
  if (definition.options) return definition.options.flatMap((option) => fieldNames(option, path));
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(definition.shape ?? {});
  const next = typeof first === "number" ? definition.element : definition.shape?.[first];
  return next === undefined ? [] : fieldNames(next, rest);
}
