/**
 * DNS over TCP and gRPC framings, for tests: whole messages in, bytes out, and back.
 */
import { concat } from "./context.ts";

/** RFC 1035 §4.2.2: two octets of length before every message. */
export function encodeTcp(...messages: Uint8Array[]): Uint8Array {
  return concat(...messages.flatMap((message) => [Uint8Array.of(message.length >> 8, message.length & 255), message]));
}

export function decodeTcp(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const size = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    if (at + 2 + size > bytes.length) break;
    messages.push(bytes.slice(at + 2, at + 2 + size));
    at += 2 + size;
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} octets are left behind the last whole message`);
  return messages;
}

/** gRPC over HTTP/2: an octet of flags and four of length before every message. */
export function encodeGrpc(...messages: Uint8Array[]): Uint8Array {
  return concat(
    ...messages.flatMap((message) => {
      const head = new Uint8Array(5);
      new DataView(head.buffer).setUint32(1, message.length);
      return [head, message];
    }),
  );
}

export function decodeGrpc(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 5 <= bytes.length) {
    const size = view.getUint32(at + 1);
    if (at + 5 + size > bytes.length) break;
    messages.push(bytes.slice(at + 5, at + 5 + size));
    at += 5 + size;
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} octets are left behind the last whole message`);
  return messages;
}
