/**
 * The admin API: one request, with the token of this tab, and errors as the service words them.
 */
import { signal } from "@preact/signals";
import type { Problem } from "../../../extproc/resources/problem.ts";
import type { Version } from "../../../extproc/store/version.ts";

/** Kept until the tab is closed, and by no other tab. */
const TOKEN_KEY = "dnspolicy.token";

export const token = signal(sessionStorage.getItem(TOKEN_KEY) ?? "");
/** Why the API wants to know who asks; empty while it does not. */
export const refused = signal("");

export function signIn(secret: string): void {
  sessionStorage.setItem(TOKEN_KEY, secret);
  token.value = secret;
  refused.value = "";
}

export function signOut(): void {
  sessionStorage.removeItem(TOKEN_KEY);
  token.value = "";
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  /** 0 where the service was not reached. */
  readonly status: number;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Of a refusal because another version is in force. */
  readonly inForce: Version | undefined;

  constructor(status: number, message: string, body: Partial<ApiError> = {}) {
    super(message);
    this.status = status;
    this.problems = body.problems ?? [];
    this.warnings = body.warnings ?? [];
    this.inForce = body.inForce;
  }
}

export interface Ask {
  readonly method?: "GET" | "PUT" | "POST" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly yaml?: string;
  readonly json?: object;
  /** The version that has to be in force. */
  readonly ifVersion?: number | undefined;
  readonly signal?: AbortSignal;
}

export async function ask<T>(path: string, options: Ask = {}): Promise<T> {
  const response = await send(path, options);
  return (await response.json()) as T;
}

/** Throws ApiError for whatever is no success. */
export async function send(path: string, { method = "GET", query, yaml, json, ifVersion, signal }: Ask = {}) {
  const headers: Record<string, string> = { accept: "application/json" };
  if (token.value !== "") headers.authorization = `Bearer ${token.value}`;
  if (yaml !== undefined) headers["content-type"] = "application/yaml";
  if (json !== undefined) headers["content-type"] = "application/json";
  if (ifVersion !== undefined) headers["if-match"] = `"${ifVersion}"`;
  const body = yaml ?? (json === undefined ? null : JSON.stringify(json));
  let response: Response;
  try {
    response = await fetch(withQuery(path, query), {
      method,
      headers,
      body,
      cache: "no-store",
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "the policy service is not reached");
  }
  if (response.ok) return response;
  const described = (await response.json().catch(() => ({}))) as Partial<ApiError> & { error?: string };
  const message = described.error ?? `the policy service answered ${response.status}`;
  if (response.status === 401)
    refused.value = token.value === "" ? "This service asks who you are." : "That token is not known here.";
  throw new ApiError(response.status, message, described);
}

export function withQuery(path: string, query: Ask["query"] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
