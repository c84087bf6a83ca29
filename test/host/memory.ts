/**
 * The guest's linear memory, seen from the host: every access is checked against its size, and what the host hands
 * over goes into a block that the guest allocates by `proxy_on_memory_allocate`.
 */
import type { Headers } from "./abi.ts";

/** Limits of Envoy's host on a serialized list of pairs. */
const MAX_PAIRS_BYTES = 1024 * 1024;
const MAX_PAIRS = 1024;

const encoder = new TextEncoder();
/** Headers may hold any octet; Latin-1 keeps each of them. */
const decoder = new TextDecoder("latin1");

export class GuestMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #allocate: (size: number) => number;

  constructor(memory: WebAssembly.Memory, allocate: (size: number) => number) {
    this.#memory = memory;
    this.#allocate = allocate;
  }

  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  /** A copy of guest memory; undefined where it reaches past the end. */
  read(pointer: number, size: number): Uint8Array | undefined {
    if (pointer + size > this.size) return undefined;
    return new Uint8Array(this.#memory.buffer, pointer, size).slice();
  }

  readText(pointer: number, size: number): string | undefined {
    const bytes = this.read(pointer, size);
    return bytes && decoder.decode(bytes);
  }

  write(pointer: number, bytes: Uint8Array): boolean {
    if (pointer + bytes.length > this.size) return false;
    new Uint8Array(this.#memory.buffer, pointer, bytes.length).set(bytes);
    return true;
  }

  writeU32(pointer: number, value: number): boolean {
    if (pointer + 4 > this.size) return false;
    new DataView(this.#memory.buffer).setUint32(pointer, value, true);
    return true;
  }

  writeU64(pointer: number, value: bigint): boolean {
    if (pointer + 8 > this.size) return false;
    new DataView(this.#memory.buffer).setBigUint64(pointer, value, true);
    return true;
  }

  /** Hands bytes to the guest in memory that it allocates: a null pointer for none. */
  give(bytes: Uint8Array, pointerTo: number, sizeTo: number): boolean {
    let pointer = 0;
    if (bytes.length > 0) {
      pointer = this.#allocate(bytes.length);
      if (pointer === 0 || !this.write(pointer, bytes)) return false;
    }
    return this.writeU32(pointerTo, pointer) && this.writeU32(sizeTo, bytes.length);
  }
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Bytes of a header's name or value. */
export function encodeLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

/** The serialized form: count, sizes, then every name and value with a zero octet behind it. */
export function encodePairs(pairs: Headers): Uint8Array {
  const parts = pairs.flat().map(encodeLatin1);
  const size = 4 + parts.reduce((sum, part) => sum + 4 + part.length + 1, 0);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, pairs.length, true);
  let at = 4;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    at += 4;
  }
  for (const part of parts) {
    out.set(part, at);
    at += part.length + 1;
  }
  return out;
}

/** The pairs in a serialized list; like Envoy's host, no pairs at all where the form is broken in any way. */
export function decodePairs(bytes: Uint8Array): Headers {
  if (bytes.length < 4 || bytes.length > MAX_PAIRS_BYTES) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count > MAX_PAIRS || 4 + count * 8 > bytes.length) return [];
  const texts: string[] = [];
  let at = 4 + count * 8;
  for (let index = 0; index < count * 2; index++) {
    const size = view.getUint32(4 + index * 4, true);
    if (at + size + 1 > bytes.length || bytes[at + size] !== 0) return [];
    texts.push(decoder.decode(bytes.subarray(at, at + size)));
    at += size + 1;
  }
  if (at !== bytes.length) return [];
  const pairs: Headers = [];
  for (let index = 0; index < count; index++) pairs.push([texts[index * 2] ?? "", texts[index * 2 + 1] ?? ""]);
  return pairs;
}
