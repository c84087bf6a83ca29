/**
 * Whether a name matches a rule's regular expressions. Each is made ready when it is asked for first, so that a swap of policies waits
 * for none of them, and goes with its snapshot.
 */
import type { RE2JS } from "re2js";
import { presentName } from "../dns/names.ts";
import { compileRegex } from "../resources/name-regex.ts";
import type { Sections } from "./layout.ts";
import type { Question } from "./question.ts";
import { StringTable } from "./strings.ts";

const ready = new WeakMap<Sections, Map<number, RE2JS>>();

/** `strings`: those of the expressions, of which one is enough. */
export function matchesRegex(sections: Sections, strings: Uint32Array, question: Question): boolean {
  const text = textOf(question.octets);
  return strings.some((string) => regexOf(sections, string).matches(text));
}

/** The form of a name that expressions are written for. */
export function textOf(wire: Uint8Array): string {
  const name = presentName(wire);
  return name === "." ? name : name.slice(0, -1);
}

function regexOf(sections: Sections, string: number): RE2JS {
  const known = ready.get(sections) ?? new Map<number, RE2JS>();
  ready.set(sections, known);
  const regex = known.get(string) ?? compileRegex(new StringTable(sections).get(string));
  known.set(string, regex);
  return regex;
}
