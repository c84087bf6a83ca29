/**
 * The shared secret of callers, compared in constant time.
 */
import { createHash, timingSafeEqual } from "node:crypto";

const BEARER = /^Bearer +(.+)$/i;

export class Token {
  readonly #digest: Buffer;

  constructor(secret: string) {
    this.#digest = digest(secret);
  }

  matches(presented: string): boolean {
    return timingSafeEqual(digest(presented), this.#digest);
  }

  /** An authorization header: `Bearer SECRET`. */
  admits(authorization: unknown): boolean {
    const secret = typeof authorization === "string" ? BEARER.exec(authorization)?.[1] : undefined;
    return secret !== undefined && this.matches(secret);
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
