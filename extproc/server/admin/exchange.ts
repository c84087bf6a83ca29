/**
 * One request of the admin API and its reply, without HTTP's framing.
 */
import type { IncomingMessage } from "node:http";
import type { Control } from "../control.ts";
import { HttpError } from "./http-error.ts";

export interface Reply {
  readonly status: number;
  /** Text, or what becomes JSON. */
  readonly body: string | object;
  readonly type?: string;
}

export interface AdminRequest {
  readonly message: IncomingMessage;
  readonly control: Control;
  readonly query: URLSearchParams;
  /** What the path's variables stand for, in order. */
  readonly variables: readonly string[];
}

/** `?name`, `?name=true` or `?name=false`. */
export function readFlag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name) ?? "false";
  if (value === "" || value === "true") return true;
  if (value === "false") return false;
  throw new HttpError(400, `expected ${name}=true or ${name}=false, got ${value.slice(0, 100)}`);
}
