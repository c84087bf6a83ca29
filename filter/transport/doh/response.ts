// The header block of a response (HPACK, RFC 7541): static names and literals, nothing that a table has to keep.

import { Text } from "../../host/host";
import {
  ALLOWED,
  cacheControl,
  cacheControlLength,
  DNS_MESSAGE,
  Status,
  writeCacheControl,
  writeNumber,
} from "./message";

/** The longest block. */
export const MAX_RESPONSE_HEADERS: u32 = 128;

/** A table size update to 0 (section 6.3), so that the client's decoder need not keep a table for us. */
const TABLE_SIZE_0: u32 = 0x20;
/** Entries of the static table (appendix A). */
const STATUS: u32 = 8;
const ALLOW: u32 = 22;
const CACHE_CONTROL: u32 = 24;
const CONTENT_LENGTH: u32 = 28;
const CONTENT_TYPE: u32 = 31;
const STATUS_200: u32 = 0x88;

const digits: usize = memory.data(12);

/** Writes the block of a response with a body of this length; how many octets it has. `minimumTtl` is the answer's. */
export function writeResponseHeaders(out: usize, status: Status, length: u32, minimumTtl: u32): u32 {
  let at = out;
  store<u8>(at++, <u8>TABLE_SIZE_0);
  if (status == Status.Ok) {
    store<u8>(at++, <u8>STATUS_200);
    at = writeText(at, CONTENT_TYPE, DNS_MESSAGE);
  } else {
    at = writeField(at, STATUS, digits, writeNumber(digits, status));
    if (status == Status.MethodNotAllowed) at = writeText(at, ALLOW, ALLOWED);
  }
  at = writeField(at, CONTENT_LENGTH, digits, writeNumber(digits, length));
  writeCacheControl(minimumTtl);
  at = writeField(at, CACHE_CONTROL, cacheControl, cacheControlLength);
  return <u32>(at - out);
}

function writeText(at: usize, name: u32, value: Text): usize {
  return writeField(at, name, value.at, value.length);
}

/** A literal without indexing (section 6.2.2), its name an entry of the static table; where the next one begins. */
function writeField(at: usize, name: u32, value: usize, length: u32): usize {
  if (name < 15) {
    store<u8>(at++, <u8>name);
  } else {
    store<u8>(at++, 15);
    store<u8>(at++, <u8>(name - 15));
  }
  store<u8>(at++, <u8>length);
  memory.copy(at, value, length);
  return at + length;
}
