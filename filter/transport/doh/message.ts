// What DNS over HTTPS (RFC 8484) says of requests and responses, whatever HTTP carries them.

import { Text } from "../../host/host";
import { MAX_MESSAGE } from "../../wire/types";

export const DNS_MESSAGE = new Text("application/dns-message");
export const ALLOWED = new Text("GET, POST");
export const NO_STORE = new Text("no-store");
const MAX_AGE = new Text("private, max-age=");
const ENDING = new Text("/dns-query");
const PARAMETER = new Text("dns=");
/** The longest base64url text of a message. */
const MAX_ENCODED: u32 = (MAX_MESSAGE * 4 + 2) / 3;

export const enum Status {
  Ok = 200,
  BadRequest = 400,
  NotFound = 404,
  MethodNotAllowed = 405,
  RequestTimeout = 408,
  ContentTooLarge = 413,
  UnsupportedMediaType = 415,
  FieldsTooLarge = 431,
}

/** A request's path without its query, and the query; what `readPath` read last. */
export let pathAt: usize = 0;
export let pathLength: u32 = 0;
let queryAt: usize = 0;
let queryLength: u32 = 0;

/** Takes `:path` apart; false where it is none of ours (404). */
export function readPath(path: usize, length: u32): bool {
  let end: u32 = 0;
  while (end < length && load<u8>(path + end) != 0x3f) end++;
  if (end < ENDING.length || memory.compare(path + end - ENDING.length, ENDING.at, ENDING.length) != 0) return false;
  pathAt = path;
  pathLength = end;
  queryAt = path + end + 1;
  queryLength = end < length ? length - end - 1 : 0;
  return true;
}

/** The octets of a message, `messageLength` of them, good until the next one is decoded. */
export const message: usize = heap.alloc(MAX_MESSAGE + 3);
export let messageLength: u32 = 0;

/** Decodes the parameter `dns` of the query into `message`: Ok, BadRequest, or ContentTooLarge. */
export function readParameter(): Status {
  let at = queryAt;
  const end = at + queryLength;
  while (at < end) {
    let next = at;
    while (next < end && load<u8>(next) != 0x26) next++;
    if (next - at >= PARAMETER.length && memory.compare(at, PARAMETER.at, PARAMETER.length) == 0) {
      const length = <u32>(next - at) - PARAMETER.length;
      if (length > MAX_ENCODED) return Status.ContentTooLarge;
      messageLength = decodeBase64url(at + PARAMETER.length, length);
      return messageLength == 0 ? Status.BadRequest : Status.Ok;
    }
    at = next + 1;
  }
  return Status.BadRequest;
}

export const enum Method {
  Get,
  Post,
  Other,
}

export function readMethod(at: usize, length: u32): Method {
  if (length == 3 && (<u32>load<u16>(at) | ((<u32>load<u8>(at + 2)) << 16)) == 0x54_45_47) return Method.Get;
  return length == 4 && load<u32>(at) == 0x54_53_4f_50 ? Method.Post : Method.Other;
}

/** Whether a content type is that of DNS messages; media types are without case (RFC 9110, section 8.3.1). */
export function isDnsMessage(at: usize, length: u32): bool {
  if (length != DNS_MESSAGE.length) return false;
  for (let i: u32 = 0; i < length; i++) {
    const octet = <u32>load<u8>(at + i);
    const lower = octet - 0x41 < 26 ? octet | 0x20 : octet;
    if (lower != <u32>load<u8>(DNS_MESSAGE.at + i)) return false;
  }
  return true;
}

/** A decimal number, or `limit` + 1 where it is above the limit or is none. */
export function readNumber(text: usize, length: u32, limit: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const digit = <u32>load<u8>(text + i) - 0x30;
    if (digit > 9) return limit + 1;
    value = value * 10 + digit;
    if (value > limit) return limit + 1;
  }
  return length == 0 ? limit + 1 : value;
}

/** The value of `cache-control` for an answer (RFC 8484, section 5.1), in memory that the next one overwrites. */
export const cacheControl: usize = memory.data(48);
export let cacheControlLength: u32 = 0;

/** `minimumTtl` in seconds; 0 is not to be kept. */
export function writeCacheControl(minimumTtl: u32): void {
  if (minimumTtl == 0) {
    memory.copy(cacheControl, NO_STORE.at, NO_STORE.length);
    cacheControlLength = NO_STORE.length;
    return;
  }
  memory.copy(cacheControl, MAX_AGE.at, MAX_AGE.length);
  cacheControlLength = MAX_AGE.length + writeNumber(cacheControl + MAX_AGE.length, minimumTtl);
}

/** Writes a decimal number; how many octets it has. */
export function writeNumber(at: usize, value: u32): u32 {
  let digits: u32 = 1;
  for (let rest = value / 10; rest != 0; rest /= 10) digits++;
  let rest = value;
  for (let i = digits; i > 0; i--) {
    store<u8>(at + i - 1, <u8>(0x30 + (rest % 10)));
    rest /= 10;
  }
  return digits;
}

/** Decodes into `message` (RFC 4648, section 5; RFC 8484, section 6: no padding); 0 where the text is not base64url. */
function decodeBase64url(text: usize, length: u32): u32 {
  if (length % 4 == 1) return 0;
  let bits: u32 = 0;
  let count: u32 = 0;
  let out: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const value = sextet(load<u8>(text + i));
    if (value > 63) return 0;
    bits = (bits << 6) | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      store<u8>(message + out++, <u8>(bits >> count));
    }
  }
  return out;
}

function sextet(character: u32): u32 {
  if (character - 0x41 < 26) return character - 0x41;
  if (character - 0x61 < 26) return character - 0x61 + 26;
  if (character - 0x30 < 10) return character - 0x30 + 52;
  if (character == 0x2d) return 62;
  return character == 0x5f ? 63 : 64;
}
