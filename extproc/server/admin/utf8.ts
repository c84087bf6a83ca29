/**
 * Text of a request: what is not UTF-8 is refused, not guessed.
 */
import { isUtf8 } from "node:buffer";
import { HttpError } from "./http-error.ts";

/** A copy in memory that the compiling thread reads without another copy. */
export function shareText(bytes: Buffer, what: string): Uint8Array {
  checkUtf8(bytes, what);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

export function decodeText(bytes: Buffer, what: string): string {
  checkUtf8(bytes, what);
  return bytes.toString("utf8");
}

function checkUtf8(bytes: Buffer, what: string): void {
  if (!isUtf8(bytes)) throw new HttpError(400, `expected UTF-8 in ${what}, got other octets`);
}
