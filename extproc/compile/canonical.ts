/**
 * Canonical JSON (object keys sorted), and the short hashes over it by which things are told to be the same.
 */
import { createHash } from "node:crypto";

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The first `octets` of SHA-256 over the canonical JSON, as hex digits. */
export function shortHash(value: unknown, octets: number): string {
  return createHash("sha256")
    .update(canonical(value))
    .digest("hex")
    .slice(0, octets * 2);
}
