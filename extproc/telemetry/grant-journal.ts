/**
 * What tenants were told, on disk, so that a restart refuses no connection that was allowed before it: a file of JSON lines,
 * one for each address that is new or lasts longer, written anew when most of it is past. It is forced to no disk: a service
 * that is killed loses half a second of it, a machine that fails may lose more.
 */
import { appendFileSync, closeSync, openSync, readFileSync, renameSync } from "node:fs";

export interface KeptGrant {
  readonly tenant: string;
  /** Octets, one a character; so is the name, in wire format and lower case. */
  readonly address: string;
  readonly name: string;
  readonly qtype: number;
  readonly transport: number;
  /** Milliseconds of the wall clock. */
  readonly until: number;
}

type Line = [tenant: string, address: string, name: string, qtype: number, transport: number, until: number];

/** Lines beyond those that count, before the file is written anew. */
const MIN_PAST = 10_000;

export class GrantJournal {
  readonly #path: string;
  #file: number;
  #lines: number;
  #waiting: string[] = [];

  private constructor(path: string, file: number, lines: number) {
    this.#path = path;
    this.#file = file;
    this.#lines = lines;
  }

  /** Reads what is there; an Error for a file that this has not written. The next thing is to rewrite it. */
  static open(path: string): { readonly journal: GrantJournal; readonly grants: readonly KeptGrant[] } {
    const grants = readLines(path);
    return { journal: new GrantJournal(path, openSync(path, "a", 0o600), grants.length), grants };
  }

  /** Of several for the same, the last counts. */
  add(grant: KeptGrant): void {
    this.#waiting.push(lineOf(grant));
  }

  /** `all` is what there is, `size` how much that is. */
  flush(all: () => Iterable<KeptGrant>, size: number): void {
    const lines = this.#waiting;
    if (lines.length === 0 && Number.isFinite(this.#lines)) return;
    this.#waiting = [];
    if (this.#lines + lines.length > size * 2 + MIN_PAST) {
      this.rewrite(all);
      return;
    }
    this.#lines += lines.length;
    try {
      appendFileSync(this.#file, lines.join(""));
    } catch (error) {
      // Whatever of it is there now.
      this.forget();
      throw error;
    }
  }

  /** Nothing of what was told so far counts: the next flush writes all anew. */
  forget(): void {
    this.#lines = Number.POSITIVE_INFINITY;
  }

  rewrite(all: () => Iterable<KeptGrant>): void {
    const lines = Array.from(all(), lineOf);
    const temporary = `${this.#path}.writing`;
    const file = openSync(temporary, "w", 0o600);
    try {
      appendFileSync(file, lines.join(""));
      renameSync(temporary, this.#path);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    closeSync(this.#file);
    this.#file = file;
    this.#lines = lines.length;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function lineOf({ tenant, address, name, qtype, transport, until }: KeptGrant): string {
  const line: Line = [tenant, toBase64(address), toBase64(name), qtype, transport, until];
  return `${JSON.stringify(line)}\n`;
}

/** A line that a killed writer left half done is the last, and is left out. */
function readLines(path: string): KeptGrant[] {
  const whole = readExisting(path).split("\n").slice(0, -1);
  return whole.map((line, index) => {
    const grant = readLine(line);
    if (grant !== undefined) return grant;
    const got = JSON.stringify(line.slice(0, 60));
    throw new Error(`${path}: line ${index + 1}: expected tenant, address, name, type, transport and time, got ${got}`);
  });
}

function readExisting(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function readLine(text: string): KeptGrant | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isLine(line)) return undefined;
  const [tenant, address, name, qtype, transport, until] = line;
  return { tenant, address: fromBase64(address), name: fromBase64(name), qtype, transport, until };
}

const TYPES = ["string", "string", "string", "number", "number", "number"];

function isLine(line: unknown): line is Line {
  return (
    Array.isArray(line) && line.length === TYPES.length && line.every((value, index) => typeof value === TYPES[index])
  );
}

function toBase64(octets: string): string {
  return Buffer.from(octets, "latin1").toString("base64");
}

function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString("latin1");
}
