/**
 * An HTTP exchange that ends with an error, and what is said about it.
 */
import type { Problem } from "../../resources/problem.ts";

export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** More fields of the reply's body. */
  readonly details: object;

  constructor(
    status: number,
    message: string,
    more: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly problems?: readonly Problem[];
      readonly warnings?: readonly Problem[];
      readonly details?: object;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.headers = more.headers ?? {};
    this.problems = more.problems ?? [];
    this.warnings = more.warnings ?? [];
    this.details = more.details ?? {};
  }
}
