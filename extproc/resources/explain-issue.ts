/**
 * What a schema found, in the words of our problems: "expected X, got Y".
 */
import type { z } from "zod";
import { describe, type Path } from "./problem.ts";

export interface Explained {
  readonly path: Path;
  readonly message: string;
  /** The path names a key that should not be there, not a value. */
  readonly key: boolean;
}

type Issue = z.core.$ZodIssue;

/** `known` gives the field names of the map at a path, to guess what a misspelt one was meant to be. */
export function explainIssue(issue: Issue, root: unknown, known: (path: Path) => readonly string[]): Explained[] {
  const path = issue.path.filter((part): part is string | number => typeof part !== "symbol");
  const value = valueAt(root, path);
  const say = (message: string): Explained[] => [{ path, message, key: false }];
  switch (issue.code) {
    case "invalid_type":
      return say(`expected ${typeName(issue.expected)}, got ${describe(value)}`);
    case "invalid_value": {
      const values = issue.values.map((one) => String(one)).join(", ");
      return say(`expected ${issue.values.length > 1 ? "one of " : ""}${values}, got ${describe(value)}`);
    }
    case "too_small":
      if (issue.origin === "array") return say(`expected at least ${issue.minimum}, got ${describe(value)}`);
      return say(`expected ${issue.minimum} or more, got ${describe(value)}`);
    case "too_big":
      if (issue.origin === "array") return say(`expected at most ${issue.maximum}, got ${describe(value)}`);
      return say(`expected ${issue.maximum} or less, got ${describe(value)}`);
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `expected ${guess(key, known(path))}, got the unknown field ${describe(key)}`,
        key: true,
      }));
    case "invalid_union":
      return explainUnion(issue, path, value, root, known);
    default:
      return say(issue.message);
  }
}

/** The branch that the value was most likely meant for: the map's for a map, otherwise what the branches have in common. */
function explainUnion(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: Path,
  value: unknown,
  root: unknown,
  known: (path: Path) => readonly string[],
): Explained[] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const branch = issue.errors.find((issues) =>
      issues.every((one) => one.code !== "invalid_value" || one.path.length > 0),
    );
    if (branch !== undefined) {
      return branch.flatMap((one) => explainIssue({ ...one, path: [...path, ...one.path] }, root, known));
    }
  }
  const names = issue.errors.flatMap((issues) =>
    issues.flatMap((one) => (one.code === "invalid_value" ? one.values.map(String) : [])),
  );
  return [{ path, message: `expected one of ${names.join(", ")} or a map, got ${describe(value)}`, key: false }];
}

function typeName(expected: string): string {
  switch (expected) {
    case "object":
    case "record":
      return "a map";
    case "array":
      return "a list";
    case "int":
      return "an integer";
    default:
      return `a ${expected}`;
  }
}

export function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

function guess(key: string, names: readonly string[]): string {
  const near = names.find((name) => distance(key.toLowerCase(), name.toLowerCase()) <= Math.max(1, key.length / 4));
  if (near !== undefined) return near;
  return names.length > 0 ? `one of ${names.join(", ")}` : "no such field";
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
