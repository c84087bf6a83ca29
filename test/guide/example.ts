/**
 * docs/policy-guide.md as examples: each heading with what it applies, and lines of what is asked and what comes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CompileJobs } from "../../extproc/compile/job.ts";
import { toListed } from "../../extproc/mesh/sources/mesh-source.ts";
import { keyOf } from "../../extproc/mesh/sources/object.ts";
import { parseObjects } from "../../extproc/mesh/sources/parse-objects.ts";
import { formatProblem } from "../../extproc/resources/problem.ts";

const ROOT = join(import.meta.dirname, "../..");

export interface Example {
  /** Of the guide's file, where the heading is. */
  readonly line: number;
  readonly title: string;
  /** The YAML that the section applies; empty where it applies nothing. */
  readonly yaml: string;
  /** Fences with a file name: what that file has. */
  readonly files: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly line: number;
  readonly words: readonly string[];
  /** Each is a part of a line that is printed, in this order. */
  readonly expected: readonly string[];
}

/** Commands that nothing but a service can answer. */
const OF_A_SERVICE = new Set(["apply", "delete", "diff", "get", "history", "rollback", "status"]);

/** Whether the line is run with a service and an Envoy alone. */
export function asksService({ words: [program, command = ""] }: Step): boolean {
  return program === "dig" || OF_A_SERVICE.has(command);
}

export function readGuide(): readonly Example[] {
  return readExamples(readFileSync(join(ROOT, "docs/policy-guide.md"), "utf8"));
}

/** A fence is ```yaml, ```yaml NAME, or ```console; others are prose. */
export function readExamples(markdown: string): readonly Example[] {
  const examples: { line: number; title: string; yaml: string[]; files: Map<string, string>; steps: Step[] }[] = [];
  let fence: { language: string; name: string; line: number; lines: string[] } | undefined;
  for (const [index, text] of markdown.split("\n").entries()) {
    const example = examples.at(-1);
    if (fence === undefined) {
      const opened = /^```(\w*)(?: +(\S+))?$/.exec(text);
      if (opened) fence = { language: opened[1] ?? "", name: opened[2] ?? "", line: index + 1, lines: [] };
      const title = /^#+ (.*)$/.exec(text)?.[1];
      if (title !== undefined) examples.push({ line: index + 1, title, yaml: [], files: new Map(), steps: [] });
    } else if (text === "```") {
      const content = `${fence.lines.join("\n")}\n`;
      if (fence.name !== "") example?.files.set(fence.name, content);
      else if (fence.language === "yaml") example?.yaml.push(content);
      else if (fence.language === "console") example?.steps.push(...readSteps(fence.lines, fence.line + 1));
      fence = undefined;
    } else fence.lines.push(text);
  }
  return examples
    .map((one) => ({ ...one, yaml: one.yaml.join("---\n") }))
    .filter(({ yaml, steps }) => yaml !== "" || steps.length > 0);
}

function readSteps(lines: readonly string[], first: number): Step[] {
  const steps: { line: number; words: string[]; expected: string[] }[] = [];
  for (const [index, text] of lines.entries()) {
    if (text.startsWith("$ ")) steps.push({ line: first + index, words: splitWords(text.slice(2)), expected: [] });
    else if (text.trim() !== "") steps.at(-1)?.expected.push(text);
  }
  return steps;
}

/** As a shell does it, as far as the guide goes: quotes, and comments. */
function splitWords(command: string): string[] {
  const words: string[] = [];
  for (const [, double, single, plain] of command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)) {
    if (plain?.startsWith("#")) break;
    words.push(double ?? single ?? plain ?? "");
  }
  return words;
}

/** What the demo applies, and this on top of it: the whole set, or what is wrong with it. */
export function onTopOfDemo(yaml: string): { readonly text: string } | { readonly problems: readonly string[] } {
  const demo = readFileSync(join(ROOT, "examples/demo.yaml"), "utf8");
  const upsert = yaml === "" ? [] : [{ name: "example.yaml", text: yaml }];
  const result = new CompileJobs().run([{ name: "demo.yaml", text: demo }], { upsert });
  if (!result.ok) return { problems: result.problems.map(formatProblem) };
  // Objects of the mesh are no part of the policy, and are applied with it all the same.
  const objects = parseObjects([{ name: "demo.yaml", text: demo }]).objects.concat(parseObjects(upsert).objects);
  const listed = new Map(objects.map((object) => [keyOf(object), toListed(object).text]));
  return { text: [Buffer.from(result.text).toString("utf8"), ...listed.values()].join("---\n") };
}

/** Undefined where the output has all of them in order; else the first that is not there. */
export function firstMissing(expected: readonly string[], output: string): string | undefined {
  const lines = output.split("\n").map(squeeze);
  let at = 0;
  for (const text of expected) {
    const found = lines.findIndex((line, index) => index >= at && line.includes(squeeze(text)));
    if (found < 0) return text;
    at = found + 1;
  }
  return undefined;
}

/** Columns are as wide as what stands in them. */
function squeeze(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}
