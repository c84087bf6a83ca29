// The fields of a request that somebody looks at, and HPACK's static table (RFC 7541, appendix A) in terms of them: names
// are recognised once, where they come in, and from then on are numbers.

import { Text } from "../../host/host";

export const enum Field {
  /** Of no interest. */
  Other,
  Method,
  Scheme,
  Authority,
  Path,
  ContentType,
  ContentLength,
  Te,
  /** The client's address, in the tunnel. */
  Source,
  /** None that a request may have: a connection's (RFC 9113, section 8.2.2), a response's, or one not in lower case. */
  Forbidden,
}

export const STATIC_TABLE: u32 = 61;
/** Of each entry, from 1: its field, and the length of its name (a is 1). */
const FIELDS = "3114422999999900000000000006005000000000000000000000000090000";
const NAME_LENGTHS = "jggeegggggggggnoomf{cemmsppnpmlfddfgddhqmhsmdhlrseggkfjyqjdcp";

export function staticField(index: u32): Field {
  return <Field>(FIELDS.charCodeAt(index - 1) - 0x30);
}

export function staticNameLength(index: u32): u32 {
  return NAME_LENGTHS.charCodeAt(index - 1) - 0x60;
}

/** The values in the static table that say something: of `:method`, `:path` and `:scheme`, entries 2 to 7. */
export const FIRST_VALUE: u32 = 2;
export const staticValues: StaticArray<Text> = [
  new Text("GET"),
  new Text("POST"),
  new Text("/"),
  new Text("/index.html"),
  new Text("http"),
  new Text("https"),
];

const METHOD = new Text(":method");
const SCHEME = new Text(":scheme");
const AUTHORITY = new Text(":authority");
const PATH = new Text(":path");
const CONTENT_TYPE = new Text("content-type");
const CONTENT_LENGTH = new Text("content-length");
const TE = new Text("te");
const SOURCE = new Text("x-src");
const CONNECTION = new Text("connection");
const KEEP_ALIVE = new Text("keep-alive");
const PROXY_CONNECTION = new Text("proxy-connection");
const TRANSFER_ENCODING = new Text("transfer-encoding");
const UPGRADE = new Text("upgrade");

const COLON: u32 = 0x3a;

/** The field of this name. */
export function recognise(name: usize, length: u32): Field {
  if (length == 0) return Field.Forbidden;
  if (load<u8>(name) == COLON) {
    if (is(METHOD, name, length)) return Field.Method;
    if (is(PATH, name, length)) return Field.Path;
    if (is(SCHEME, name, length)) return Field.Scheme;
    // `:protocol` too: extended CONNECT was not offered (RFC 8441).
    return is(AUTHORITY, name, length) ? Field.Authority : Field.Forbidden;
  }
  for (let i: u32 = 0; i < length; i++) {
    // RFC 9113, section 8.2.1.
    const octet = <u32>load<u8>(name + i);
    if (octet <= 0x20 || (octet >= 0x41 && octet <= 0x5a) || octet == COLON || octet >= 0x7f) return Field.Forbidden;
  }
  if (is(CONTENT_TYPE, name, length)) return Field.ContentType;
  if (is(CONTENT_LENGTH, name, length)) return Field.ContentLength;
  if (is(SOURCE, name, length)) return Field.Source;
  if (is(TE, name, length)) return Field.Te;
  const isOfConnection =
    is(CONNECTION, name, length) ||
    is(KEEP_ALIVE, name, length) ||
    is(PROXY_CONNECTION, name, length) ||
    is(TRANSFER_ENCODING, name, length) ||
    is(UPGRADE, name, length);
  return isOfConnection ? Field.Forbidden : Field.Other;
}

function is(text: Text, at: usize, length: u32): bool {
  return length == text.length && memory.compare(at, text.at, length) == 0;
}
