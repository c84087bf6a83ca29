/**
 * What is wrong with something that a person wrote, and where: source, document, line and field.
 */

export interface Problem {
  /** File name, or what the text came by. */
  readonly source: string;
  /** Counted from 1; 0 where no document is to blame. */
  readonly document: number;
  /** Counted from 1; 0 where no line is to blame. */
  readonly line: number;
  /** Field path, as spec.rules[0].match.names[1]; empty for the document as a whole. */
  readonly path: string;
  /** What was expected, and what came. */
  readonly message: string;
}

export type Path = readonly (string | number)[];

/** One line for people: `demo.yaml: document 2, line 14, spec.rules[0].action: expected ..., got ...`. */
export function formatProblem(problem: Problem): string {
  const place = [
    problem.document > 0 ? `document ${problem.document}` : "",
    problem.line > 0 ? `line ${problem.line}` : "",
    problem.path,
  ].filter((part) => part !== "");
  return `${problem.source}: ${place.length > 0 ? `${place.join(", ")}: ` : ""}${problem.message}`;
}

export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** A value in the words of an error message, cut to a length that fits a line. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a map";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
