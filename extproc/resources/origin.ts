/**
 * Where a resource was written, and which line a field of it is on.
 *
 * Only the text is kept: the lines are looked up in a fresh parse, when there is something to complain about.
 */
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { formatPath, type Path, type Problem } from "./problem.ts";

export class Origin {
  readonly source: string;
  /** Counted from 1; 0 for a resource that stands alone. */
  readonly document: number;
  /** The document as it was written, comments included. */
  readonly text: string;
  /** What a store keeps of it. */
  readonly kept: string;
  readonly #firstLine: number;

  constructor(source: string, document: number, text: string, firstLine: number, kept = text) {
    this.source = source;
    this.document = document;
    this.text = text;
    this.kept = kept;
    this.#firstLine = firstLine;
  }

  /** The same place; a store keeps another text. */
  keeping(kept: string): Origin {
    return new Origin(this.source, this.document, this.text, this.#firstLine, kept);
  }

  /** The same text, as people find it when they ask for the stored resource. */
  stored(kind: string, name: string): Origin {
    return new Origin(`stored ${kind}/${name}`, 0, this.kept, 1);
  }

  /** A problem at the value of a field, or at the innermost one around it that is there. */
  problem(path: Path, message: string): Problem {
    return this.#at(path, message, (yaml) => valueOffset(yaml, path));
  }

  /** A problem with a field's being there at all. */
  keyProblem(path: Path, message: string): Problem {
    return this.#at(path, message, (yaml) => keyOffset(yaml, path) ?? valueOffset(yaml, path));
  }

  #at(path: Path, message: string, find: (yaml: Document) => number): Problem {
    const lines = new LineCounter();
    const offset = find(parseDocument(this.text, { lineCounter: lines, logLevel: "silent" }));
    const line = this.#firstLine - 1 + lines.linePos(offset).line;
    return { source: this.source, document: this.document, line, path: formatPath(path), message };
  }
}

function valueOffset(yaml: Document, path: Path): number {
  for (let length = path.length; length >= 0; length--) {
    const node = yaml.getIn(path.slice(0, length), true) as { range?: readonly number[] | null } | undefined;
    const offset = node?.range?.[0];
    if (offset !== undefined) return offset;
  }
  return 0;
}

function keyOffset(yaml: Document, path: Path): number | undefined {
  const parent = yaml.getIn(path.slice(0, -1), true);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)));
  return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
}
