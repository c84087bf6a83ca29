/**
 * What comes of another product's configuration: resources of ours, and what they do not say, each with its place.
 */
import { resolve } from "node:path";
import { LineCounter, parseAllDocuments } from "yaml";
import { MAX_INLINE } from "../resources/list-schema.ts";
import { NameSyntaxError, parsePattern } from "../resources/name-pattern.ts";
import { checkRegex } from "../resources/name-regex.ts";
import { parseNetwork } from "../resources/network.ts";
import { Origin } from "../resources/origin.ts";
import type { Problem } from "../resources/problem.ts";
import { MAX_REGEXES } from "../resources/rule-schema.ts";
import { API_VERSION } from "../resources/schema-parts.ts";

/** Of a source that is the standard input. */
const STDIN = "stdin";

export interface Source {
  readonly name: string;
  readonly text: string;
}

/** How it is told: `left` is not in the resources, `note` is there and means something else in part. */
export interface Remark extends Problem {
  readonly kind: "left" | "note";
}

/** More are a list's: nobody reads them in a rule. */
const MAX_NAMES_IN_RULE = 50;

export class Conversion {
  readonly resources: object[] = [];
  readonly remarks: Remark[] = [];
  readonly #names = new Set<string>();
  readonly #made = new Map<string, string>();
  readonly #priorities = new Map<string, number>();

  /** Of policies of one tier, each has its own: those of the first file are asked first. */
  nextPriority(tier = "Admin", first = 100): number {
    const next = this.#priorities.get(tier) ?? first;
    this.#priorities.set(tier, next + 1);
    return next;
  }

  /** The name of what several documents have in common, which the first of them makes. */
  once(key: string, make: () => string): string {
    const name = this.#made.get(key) ?? make();
    this.#made.set(key, name);
    return name;
  }

  left(problem: Problem): void {
    this.remarks.push({ ...problem, kind: "left" });
  }

  note(problem: Problem): void {
    this.remarks.push({ ...problem, kind: "note" });
  }

  /** With a name made of the text that no other resource has. */
  add(kind: string, text: string, spec: object): string {
    const name = this.#nameFor(kind, text);
    this.resources.push({ apiVersion: API_VERSION, kind, metadata: { name }, spec });
    return name;
  }

  /** What a rule matches: names as they are, or NameLists of them where there are many. */
  matchNames(
    text: string,
    names: readonly string[],
  ): { readonly names: readonly string[] } | { readonly lists: string[] } {
    if (names.length <= MAX_NAMES_IN_RULE) return { names };
    const lists: string[] = [];
    for (let at = 0; at < names.length; at += MAX_INLINE) {
      lists.push(this.add("NameList", text, { inline: names.slice(at, at + MAX_INLINE) }));
    }
    return { lists };
  }

  /** A NameList that the service reads from the file itself; undefined for a source that is no file, and for a small one. */
  matchFile(
    text: string,
    format: "Hosts" | "RPZ",
    { name }: Source,
    count: number,
  ): { readonly lists: string[] } | undefined {
    if (count <= MAX_INLINE || name === STDIN) return undefined;
    return { lists: [this.add("NameList", text, { format, file: resolve(name) })] };
  }

  /** What everybody is asked for; nothing, where there are no rules. */
  addAdminRules(text: string, rules: readonly object[], responseRules: readonly object[] = []): void {
    const own = {
      ...(rules.length > 0 ? { rules } : {}),
      ...(responseRules.length > 0 ? { responseRules } : {}),
    };
    if (Object.keys(own).length === 0) return;
    this.add("ClusterDnsPolicy", text, { tier: "Admin", priority: this.nextPriority(), subject: {}, ...own });
  }

  #nameFor(kind: string, text: string): string {
    const plain = text
      .toLowerCase()
      .replaceAll(/[^a-z0-9.-]+/g, "-")
      .replace(/^[.-]+/, "")
      .slice(0, 56)
      .replace(/[.-]+$/, "");
    const base = plain === "" ? "converted" : plain;
    let name = base;
    for (let number = 2; this.#names.has(`${kind}/${name}`); number++) name = `${base}-${number}`;
    this.#names.add(`${kind}/${name}`);
    return name;
  }
}

export interface YamlDocument {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Documents that are no YAML are left, and told. */
export function readYaml({ name, text }: Source, conversion: Conversion): YamlDocument[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents: YamlDocument[] = [];
  let end = 0;
  for (const [index, yaml] of (Array.isArray(parsed) ? parsed : []).entries()) {
    const start = index === 0 ? 0 : Math.max(end, yaml.range[0]);
    end = yaml.range[2];
    const { line } = lines.linePos(start);
    const [error] = yaml.errors;
    if (error !== undefined) {
      const at = lines.linePos(error.pos[0]).line;
      conversion.left({
        source: name,
        document: index + 1,
        line: at,
        path: "",
        message: `expected YAML: ${error.message}`,
      });
      continue;
    }
    const value: unknown = yaml.toJS({ maxAliasCount: 100 });
    if (value !== null) documents.push({ value, origin: new Origin(name, index + 1, text.slice(start, end), line) });
  }
  return documents;
}

export function lineProblem(source: Source, line: number, message: string): Problem {
  return { source: source.name, document: 0, line, path: "", message };
}

/** The pattern as it stands, or what was expected instead. */
export function checkPattern(text: string): { readonly pattern: string } | { readonly expected: string } {
  try {
    return { pattern: parsePattern(text).text };
  } catch (error) {
    if (error instanceof NameSyntaxError) return { expected: error.message };
    throw error;
  }
}

/** A regular expression for whole names, or what was expected instead; `anywhere`: it is one for some part of a name. */
export function checkExpression(
  text: string,
  { anywhere = false } = {},
): { readonly regex: string } | { readonly expected: string } {
  const regex = anywhere ? `.*(?:${text}).*` : text;
  const expected = checkRegex(regex);
  return expected === undefined ? { regex } : { expected };
}

/** Patterns, and regular expressions of whole names. */
export interface Listed {
  readonly names: ReadonlySet<string>;
  readonly regexes: ReadonlySet<string>;
}

/** Rules that say the same of each: of expressions, one has no more than so many. */
export function listedRules(name: string, { names, regexes }: Listed, what: object): object[] {
  const rules: object[] = names.size === 0 ? [] : [{ name, match: { names: [...names] }, ...what }];
  const all = [...regexes];
  for (let at = 0; at < all.length; at += MAX_REGEXES) {
    const match = { nameRegex: all.slice(at, at + MAX_REGEXES) };
    rules.push({ name: `${name}-by-expression-${at / MAX_REGEXES + 1}`, match, ...what });
  }
  return rules;
}

/** An address or a block as a block; undefined for anything else. */
export function toBlock(text: string): string | undefined {
  const whole = text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`;
  const direct = parseNetwork(whole);
  if (typeof direct !== "string") return direct.text;
  // Others take bits beyond the prefix for what they are.
  const meant = /\((.+)\?\)/.exec(direct)?.[1];
  return meant;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
