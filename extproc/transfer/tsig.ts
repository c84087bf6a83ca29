/**
 * Signatures of a query and of the messages that answer it, by a shared secret (RFC 8945).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { parseName } from "../resources/name-pattern.ts";
import type { TsigAlgorithm } from "../resources/transfer-schema.ts";
import { type TransferMessage, words16, words32 } from "./transfer-message.ts";

export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

const TYPE_TSIG = 250;
const CLASS_ANY = 255;
/** Seconds by which clocks may differ (section 10). */
const FUDGE = 300;
/** Of a transfer, so many messages may go without a signature (section 5.3.1). */
const MAX_UNSIGNED = 99;

const ERRORS: Readonly<Record<number, string>> = { 16: "BADSIG", 17: "BADKEY", 18: "BADTIME", 22: "BADTRUNC" };

/** One query and its answer, of however many messages. */
export class TsigSession {
  readonly #key: TsigKey;
  /** Seconds since 1970. */
  readonly #now: () => number;
  #mac: Uint8Array = new Uint8Array();
  /** Messages since the last signature. */
  #unsigned: Uint8Array[] = [];
  #first = true;

  constructor(key: TsigKey, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  /** The query with its signature. */
  sign(query: Uint8Array): Uint8Array {
    const time = this.#now();
    const name = wireOf(this.#key.name);
    const algorithm = wireOf(this.#key.algorithm);
    const timers = [...words16(Math.floor(time / 2 ** 32)), ...words32(time >>> 0), ...words16(FUDGE)];
    const variables = [...name, ...words16(CLASS_ANY), ...words32(0), ...algorithm, ...timers, ...words16(0, 0)];
    this.#mac = this.#digest([query, Uint8Array.from(variables)]);
    const data = [
      ...algorithm,
      ...timers,
      ...words16(this.#mac.length),
      ...this.#mac,
      query[0] ?? 0,
      query[1] ?? 0,
      0,
      0,
      0,
      0,
    ];
    const record = [...name, ...words16(TYPE_TSIG, CLASS_ANY), ...words32(0), ...words16(data.length), ...data];
    const signed = Uint8Array.from([...query, ...record]);
    setCount(signed, 1);
    return signed;
  }

  /** Throws for a message that does not go on from those before it. */
  verify(message: TransferMessage): void {
    const { octets } = message;
    const record = message.signature();
    if (record === undefined) {
      if (this.#first) throw new Error("expected an answer with a signature, got one without");
      this.#unsigned.push(octets);
      if (this.#unsigned.length > MAX_UNSIGNED)
        throw new Error(`expected a signature in ${MAX_UNSIGNED} messages, got none`);
      return;
    }
    const read = readSignature(octets, record.data, record.length);
    if (record.owner !== `${this.#key.name}.` || read.algorithm !== this.#key.algorithm) {
      throw new Error(
        `expected a signature by ${this.#key.name} (${this.#key.algorithm}), got one by ${record.owner} (${read.algorithm})`,
      );
    }
    if (read.error !== 0) throw new Error(`expected a signature, got ${ERRORS[read.error] ?? `error ${read.error}`}`);
    const bare = octets.slice(0, record.start);
    setCount(bare, (((octets[10] ?? 0) << 8) | (octets[11] ?? 0)) - 1);
    bare.set(read.id, 0);
    const about = this.#first
      ? [
          ...wireOf(this.#key.name),
          ...words16(CLASS_ANY),
          ...words32(0),
          ...wireOf(this.#key.algorithm),
          ...read.timers,
          ...words16(0, read.other.length),
          ...read.other,
        ]
      : read.timers;
    const prior = Uint8Array.from([...words16(this.#mac.length), ...this.#mac]);
    const expected = this.#digest([prior, ...this.#unsigned, bare, Uint8Array.from(about)]);
    if (expected.length !== read.mac.length || !timingSafeEqual(expected, read.mac)) {
      throw new Error("expected a signature of this message, got another one (BADSIG)");
    }
    if (Math.abs(this.#now() - read.time) > read.fudge) {
      throw new Error(`expected a signature of now, got one of ${new Date(read.time * 1000).toISOString()} (BADTIME)`);
    }
    this.#mac = expected;
    this.#unsigned = [];
    this.#first = false;
  }

  /** Throws where the last message was not signed. */
  finish(): void {
    if (this.#first || this.#unsigned.length > 0) throw new Error("expected a signature on the last message, got none");
  }

  #digest(parts: readonly Uint8Array[]): Uint8Array {
    const hmac = createHmac(this.#key.algorithm.slice("hmac-".length), this.#key.secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  }
}

interface Signature {
  readonly algorithm: string;
  readonly time: number;
  readonly fudge: number;
  /** Time and fudge, as they were written. */
  readonly timers: readonly number[];
  readonly mac: Uint8Array;
  /** Of the message as it was signed. */
  readonly id: Uint8Array;
  readonly error: number;
  readonly other: readonly number[];
}

/** The data of the record (section 4.2). */
function readSignature(octets: Uint8Array, start: number, length: number): Signature {
  const data = octets.slice(start, start + length);
  const labels: string[] = [];
  let at = 0;
  for (let size = data[at] ?? 0; size !== 0 && at < data.length; size = data[at] ?? 0) {
    labels.push(
      Buffer.from(data.subarray(at + 1, at + 1 + size))
        .toString("latin1")
        .toLowerCase(),
    );
    at += 1 + size;
  }
  at += 1;
  const view = new DataView(data.buffer);
  const size = at + 10 <= data.length ? view.getUint16(at + 8) : 0;
  const after = at + 10 + size;
  if (after + 6 > data.length) throw new Error("expected a whole signature, got a part of one");
  return {
    algorithm: labels.join("."),
    time: view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2),
    fudge: view.getUint16(at + 6),
    timers: [...data.subarray(at, at + 8)],
    mac: data.slice(at + 10, after),
    id: data.slice(after, after + 2),
    error: view.getUint16(after + 2),
    other: [...data.subarray(after + 6)],
  };
}

/** Of additional records. */
function setCount(message: Uint8Array, count: number): void {
  message[10] = count >>> 8;
  message[11] = count & 0xff;
}

/** In lower case, as signatures have names (section 4.3.3). */
function wireOf(name: string): Uint8Array {
  return parseName(name).wire;
}
