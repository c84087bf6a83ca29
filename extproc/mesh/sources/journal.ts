/**
 * The objects of an ObjectStore on disk: a file of JSON lines, one for each change, written anew when most of it is past.
 *
 * A line is an object that is set or a key that is deleted. A line that a killed writer left half done is the last, and
 * is cut off. Changes are written in turn, all that wait at once: a change is on disk before its promise resolves.
 */
import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "../../durable-file.ts";
import { foreignKindOf } from "../../resources/foreign-kinds.ts";
import { keyOf, type MeshObject, type ObjectKey, toObject } from "./object.ts";
import type { ObjectChange } from "./object-store.ts";
import { readValue } from "./read-value.ts";

type Line = { readonly set: unknown } | { readonly delete: ObjectKey };

/** Lines beyond those that count, before the file is written anew. */
const MIN_PAST = 10_000;

export class ObjectJournal {
  readonly #path: string;
  #file: FileHandle;
  #lines: number;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, lines: number) {
    this.#path = path;
    this.#file = file;
    this.#lines = lines;
  }

  /** Reads what is there; an Error for a file that this has not written. */
  static async open(
    path: string,
  ): Promise<{ readonly journal: ObjectJournal; readonly objects: readonly MeshObject[] }> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const { objects, lines, length } = readLines(path, await readExisting(path));
    const file = await open(path, "a", 0o600);
    await file.truncate(length);
    return { journal: new ObjectJournal(path, file, lines), objects };
  }

  /** `all` is what there is after the changes. */
  async write(changes: readonly ObjectChange[], all: () => Iterable<MeshObject>, size: number): Promise<void> {
    for (const { key, after } of changes) {
      this.#waiting.push(`${JSON.stringify(after === undefined ? { delete: key } : { set: after.value })}\n`);
    }
    this.#writing = this.#writing.then(() => this.#flush(all, size));
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#file.close();
  }

  async #flush(all: () => Iterable<MeshObject>, size: number): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    if (this.#lines + lines.length > size * 2 + MIN_PAST) {
      await this.#rewrite(all);
      return;
    }
    await this.#file.appendFile(lines.join(""));
    await this.#file.datasync();
    this.#lines += lines.length;
  }

  async #rewrite(all: () => Iterable<MeshObject>): Promise<void> {
    const lines = [...all()].map(({ value }) => `${JSON.stringify({ set: value })}\n`);
    // What was asked for meanwhile is in it, and is written once more behind it: the same again changes nothing.
    const temporary = `${this.#path}.writing`;
    const file = await open(temporary, "w", 0o600);
    await file.appendFile(lines.join(""));
    await file.sync();
    await rename(temporary, this.#path);
    await syncDirectory(dirname(this.#path));
    await this.#file.close();
    this.#file = file;
    this.#lines = lines.length;
  }
}

async function readExisting(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function readLines(path: string, text: string): { objects: MeshObject[]; lines: number; length: number } {
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const objects = new Map<string, MeshObject>();
  let lines = 0;
  for (const line of whole.split("\n")) {
    if (line === "") continue;
    lines++;
    const read = readLine(line);
    if (read === undefined) {
      throw new Error(
        `${path}: line ${lines}: expected an object or a deletion, got ${JSON.stringify(line.slice(0, 60))}`,
      );
    }
    if ("set" in read) objects.set(keyOf(read.set), read.set);
    else objects.delete(keyOf(read.delete));
  }
  return { objects: [...objects.values()], lines, length: Buffer.byteLength(whole) };
}

function readLine(text: string): { readonly set: MeshObject } | { readonly delete: ObjectKey } | undefined {
  let line: Line;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if ("delete" in line) return line;
  const object = readObject(line.set);
  return object && { set: object };
}

/** As it was written down; undefined for something else. */
export function readObject(value: unknown): MeshObject | undefined {
  const { apiVersion, kind: word } = (value ?? {}) as { readonly apiVersion?: unknown; readonly kind?: unknown };
  const kind = foreignKindOf(apiVersion, word);
  const result = kind === undefined ? undefined : readValue(kind, value);
  return kind !== undefined && result?.success ? toObject(kind, result.data) : undefined;
}
