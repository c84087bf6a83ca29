/**
 * multipart/form-data (RFC 7578), as `curl -F` and our command line send it: each part is one file.
 */
import { HttpError } from "./http-error.ts";
import { decodeText } from "./utf8.ts";

const MAX_PARTS = 10_000;
const MAX_PART_HEADERS = 4096;
const END_OF_HEADERS = "\r\n\r\n";

export interface Part {
  /** The file's name, as the caller gave it. */
  readonly name: string;
  readonly octets: Buffer;
}

export function readMultipart(body: Buffer, contentType: string): readonly Part[] {
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^;\s"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw new HttpError(400, "expected a boundary in content-type, got none");
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first delimiter has no line before it.
  let at = body.subarray(0, delimiter.length - 2).equals(delimiter.subarray(2)) ? delimiter.length - 2 : -1;
  if (at < 0) throw new HttpError(400, "expected the boundary at the start of the body, got other octets");
  const parts: Part[] = [];
  while (body.toString("latin1", at, at + 2) !== "--") {
    const end = body.indexOf(delimiter, at);
    if (end < 0) throw new HttpError(400, "expected a boundary after each part, got the end of the body");
    if (parts.length >= MAX_PARTS) throw new HttpError(400, `expected at most ${MAX_PARTS} files, got more`);
    parts.push(readPart(body.subarray(at, end), parts.length + 1));
    at = end + delimiter.length;
  }
  return parts;
}

/** From the line end after the delimiter to the one before the next. */
function readPart(part: Buffer, number: number): Part {
  const end = part.subarray(0, MAX_PART_HEADERS).indexOf(END_OF_HEADERS);
  if (end < 0) throw new HttpError(400, `expected headers of at most ${MAX_PART_HEADERS} octets in part ${number}`);
  const headers = decodeText(part.subarray(0, end), `the headers of part ${number}`);
  const field = /^content-disposition:.*?[;\s]filename="((?:[^"\\]|\\.)*)"/im.exec(headers)?.[1];
  const name = field?.replace(/%22/g, '"').replace(/\\(.)/g, "$1") || `part ${number}`;
  return { name, octets: part.subarray(end + END_OF_HEADERS.length) };
}
