/**
 * A target of a DNSEndpoint as a record: its type stands beside it, and its data are written as external-dns writes them.
 */
import { type OwnRecord, parseRecord } from "../../resources/record.ts";

/** Types that the name table has, but for TXT. */
const TYPES: readonly string[] = ["A", "AAAA", "CNAME", "SRV"];
const TYPE_TXT = 16;
/** A character-string, and what parseRecord() lets a record have (RFC 1035, section 3.3.14). */
const MAX_TEXT = 255;
const MAX_DATA = 1024;

/** Undefined for a type that the name table does not have; a text says what was expected instead. */
export function readTarget(type: string, target: string): Pick<OwnRecord, "type" | "data"> | string | undefined {
  if (type === "TXT") return readText(target);
  return TYPES.includes(type) ? parseRecord(`${type} ${target}`) : undefined;
}

/** One text, in quotes or without, of as many character-strings as it takes. */
function readText(target: string): Pick<OwnRecord, "type" | "data"> | string {
  const text = Buffer.from(/^".*"$/s.test(target) ? target.slice(1, -1) : target);
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length || at === 0; at += MAX_TEXT) {
    const part = text.subarray(at, at + MAX_TEXT);
    parts.push(Buffer.from([part.length]), part);
  }
  const data = Buffer.concat(parts);
  return data.length > MAX_DATA ? `at most ${MAX_DATA} octets of data in a record` : { type: TYPE_TXT, data };
}
