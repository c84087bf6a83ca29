/**
 * Hashes of the flat tables, and of texts.
 */
import { createHash } from "node:crypto";

/** 64 bits of SHA-256, decimal: a number that is the same in all revisions. */
export function numberOf(text: string): string {
  return createHash("sha256").update(text).digest().readBigUInt64LE().toString();
}

/** FNV-1a, 32 bits (RFC 9923 describes it): the hash that Scope.except is made of. */
export function fnv1a(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash >>> 0;
}

/** First slot for a pair of words in a table of `mask` + 1 slots. */
export function slotOf(a: number, b: number, mask: number): number {
  const mixed = Math.imul((Math.imul(a, 0x9e3779b1) ^ b) >>> 0, 0x85ebca6b) >>> 0;
  return (mixed ^ (mixed >>> 15)) & mask;
}

export function equalBytes(a: Uint8Array, aStart: number, b: Uint8Array, bStart: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (a[aStart + at] !== b[bStart + at]) return false;
  return true;
}
