import { createHash } from "node:crypto";

/** 64 bits of a hash, decimal: the number of a thing that is equal where the text is. */
export function numberOf(text: string): string {
  return createHash("sha256").update(text).digest().readBigUInt64LE().toString();
}
