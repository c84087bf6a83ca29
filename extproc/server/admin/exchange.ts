/**
 * One request of the admin API and its reply, without HTTP's framing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApplyOutcome, Control } from "../control.ts";
import type { Caller } from "./caller.ts";
import { HttpError } from "./http-error.ts";

export interface Reply {
  readonly status: number;
  /** Text, or what becomes JSON. */
  readonly body: string | object;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** All is as it was: there is nothing to write down. */
  readonly unchanged?: boolean;
  /** Instead of the body: writes for as long as the caller stays. */
  readonly stream?: (response: ServerResponse) => void;
}

export interface AdminRequest {
  readonly message: IncomingMessage;
  readonly control: Control;
  readonly caller: Caller;
  readonly query: URLSearchParams;
  /** What the path's variables stand for, in order. */
  readonly variables: readonly string[];
  /** What came of a change, for the audit log. */
  readonly note: (outcome: ApplyOutcome) => void;
}

/** `?name`, `?name=true` or `?name=false`. */
export function readFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name) ?? "false";
  if (value === "" || value === "true") return true;
  if (value === "false") return false;
  throw new HttpError(400, `expected ${name}=true or ${name}=false, got ${value.slice(0, 100)}`);
}

const MAX_TEXT = 1000;

/** One line for people, as `?reason=`; empty where there is none. */
export function readText(query: URLSearchParams, name: string): string {
  const text = query.get(name)?.trim() ?? "";
  if (text.length > MAX_TEXT) throw new HttpError(400, `expected ${name} of at most ${MAX_TEXT} characters, got more`);
  if (/[\p{Cc}\u2028\u2029]/u.test(text)) throw new HttpError(400, `expected ${name} in one line, got more`);
  return text;
}

/** The number of a version. */
export function readVersion(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new HttpError(400, `expected the number of a version, got ${JSON.stringify(text.slice(0, 100))}`);
}

/** What is in force as a strong entity tag (RFC 9110, section 8.8.3): its version. Comments are no part of that. */
export function entityTag(sequence: number): Readonly<Record<string, string>> {
  return { etag: `"${sequence}"` };
}

/**
 * The versions of If-Match (RFC 9110, section 13.1.1); undefined where any will do. Weak tags, and those that are no
 * version of ours, match nothing.
 */
export function readIfMatch({ headers }: IncomingMessage): readonly number[] | undefined {
  const header = headers["if-match"]?.trim();
  if (header === undefined || header === "*") return undefined;
  if (!/^(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*$/.test(header)) {
    throw new HttpError(400, `expected If-Match: "VERSION", got ${header.slice(0, 100)}`);
  }
  return [...header.matchAll(/(?<!W\/)"(\d{1,15})"(?=\s*(?:,|$))/g)].map(([, version]) => Number(version));
}

export function acceptsType({ headers }: IncomingMessage, type: string): boolean {
  const ranges = (headers.accept ?? "").split(",").map((range) => range.split(";", 1)[0]?.trim().toLowerCase());
  return ranges.includes(type);
}
