/**
 * Objects of the mesh out of YAML, in which resources of the policy may stand beside them: those are passed by.
 */
import { explainIssue } from "../../resources/explain-issue.ts";
import {
  FOREIGN_KINDS,
  type ForeignKindName,
  foreignKindOf,
  isForeign,
  isForeignList,
  mayHaveForeign,
  wordOf,
} from "../../resources/foreign-kinds.ts";
import type { Origin } from "../../resources/origin.ts";
import { MAX_PROBLEMS, parseDocuments, toValue } from "../../resources/parse.ts";
import { describe, type Path, type Problem } from "../../resources/problem.ts";
import { keyOf, type MeshObject, toObject } from "./object.ts";
import { readValue } from "./read-value.ts";

/** A text and the name by which problems are told. */
export interface ObjectSource {
  readonly name: string;
  readonly text: string | Uint8Array;
}

export interface ParsedObjects {
  readonly objects: readonly MeshObject[];
  /** Whether there is anything else in the texts: resources of the policy, or what is nobody's. */
  readonly others: boolean;
  readonly problems: readonly Problem[];
}

export function parseObjects(sources: readonly ObjectSource[]): ParsedObjects {
  const objects = new Map<string, MeshObject>();
  const problems: Problem[] = [];
  let others = false;
  for (const { name, text: octets } of sources) {
    // TextDecoder refuses views of shared memory.
    const text = typeof octets === "string" ? octets : Buffer.from(octets).toString("utf8");
    if (!mayHaveForeign(text)) {
      others = true;
      continue;
    }
    for (const { yaml, origin } of parseDocuments(text, name)) {
      const value = yaml.errors.length > 0 || yaml.warnings.length > 0 ? "" : toValue(yaml);
      if (value === null || value === undefined) continue;
      // What is no YAML is told by whoever reads the policy.
      if (!isForeign(value)) {
        others = true;
        continue;
      }
      for (const { item, path } of itemsOf(value)) {
        const object = readObject(item, origin, path, problems);
        if (object === undefined) continue;
        const key = keyOf(object);
        if (objects.has(key)) problems.push(origin.problem(path, `expected each object once, got ${key} again`));
        else objects.set(key, object);
      }
    }
  }
  return { objects: [...objects.values()], others, problems };
}

function* itemsOf(value: unknown): Generator<{ readonly item: unknown; readonly path: Path }> {
  if (!isForeignList(value)) {
    yield { item: value, path: [] };
    return;
  }
  const { kind, apiVersion, items } = value as { kind: string; apiVersion: string; items?: unknown };
  if (!Array.isArray(items)) return;
  const member = kind.slice(0, -"List".length);
  for (const [index, item] of items.entries()) {
    // In a list of one kind, the items do not say which.
    const said = member !== "" && typeof item === "object" && item !== null;
    yield { item: said ? { apiVersion, kind: member, ...item } : item, path: ["items", index] };
  }
}

function readObject(value: unknown, origin: Origin, at: Path, problems: Problem[]): MeshObject | undefined {
  const { apiVersion, kind } = (typeof value === "object" && value !== null ? value : {}) as {
    apiVersion?: unknown;
    kind?: unknown;
  };
  const known = foreignKindOf(apiVersion, kind);
  if (known === undefined) {
    problems.push(explainKind(origin, at, apiVersion, kind));
    return undefined;
  }
  const result = readValue(known, value);
  if (result.success) return toObject(known, result.data);
  const explained = result.error.issues.flatMap((issue) => explainIssue(issue, value, () => []));
  for (const { path, message } of explained.slice(0, MAX_PROBLEMS)) {
    problems.push(origin.problem([...at, ...path], message));
  }
  return undefined;
}

function explainKind(origin: Origin, at: Path, apiVersion: unknown, kind: unknown): Problem {
  const kinds = Object.keys(FOREIGN_KINDS) as ForeignKindName[];
  const versions = kinds.filter((one) => wordOf(one) === kind).flatMap((one) => FOREIGN_KINDS[one].apiVersions);
  if (versions.length === 0) {
    const words = [...new Set(kinds.map(wordOf))].join(", ");
    return origin.problem([...at, "kind"], `expected one of ${words}, got ${describe(kind)}`);
  }
  const expected = `${versions.join(" or ")} with kind ${kind}`;
  return origin.problem([...at, "apiVersion"], `expected ${expected}, got ${describe(apiVersion)}`);
}
