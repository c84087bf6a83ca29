/**
 * The messages of a zone transfer (RFC 5936, RFC 1995): queries written, answers read record by record.
 */
import { MAX_NAME } from "../dns/names.ts";
import { parseName } from "../resources/name-pattern.ts";

export const TYPE_SOA = 6;
export const TYPE_TSIG = 250;
export const TYPE_IXFR = 251;
export const TYPE_AXFR = 252;
const TYPE_A = 1;
export const TYPE_NS = 2;
export const TYPE_CNAME = 5;
const TYPE_PTR = 12;
const TYPE_TXT = 16;
const TYPE_AAAA = 28;
const TYPE_SRV = 33;
export const TYPE_DNAME = 39;
const CLASS_IN = 1;

const HEADER = 12;

export interface TransferRecord {
  /** Absolute, in lower case, with a final dot. */
  readonly owner: string;
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** The target of a CNAME, as owners are; of others empty. */
  readonly target: string;
  /** Of a SOA. */
  readonly soa?: Soa;
  /**
   * Its data, names in it whole and in lower case: of A, AAAA, CNAME, PTR, SRV and TXT; of other types undefined. Reads the
   * message when it is called, so that who has no use for it pays nothing.
   */
  readonly readData: () => Uint8Array | undefined;
}

export interface Soa {
  readonly serial: number;
  /** Seconds. */
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
}

/** A record as it lies in a message. */
interface RawRecord {
  readonly owner: string;
  readonly type: number;
  readonly ttl: number;
  readonly start: number;
  readonly data: number;
  readonly length: number;
}

export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

/** Of AXFR; or of IXFR, with the serial that is here. */
export function writeQuery(id: number, zone: Uint8Array, serial: number | undefined): Uint8Array {
  const soa =
    serial === undefined
      ? []
      : [...zone, ...words16(TYPE_SOA, CLASS_IN, 0, 0, 22), 0, 0, ...words32(serial, 0, 0, 0, 0)];
  const type = serial === undefined ? TYPE_AXFR : TYPE_IXFR;
  return Uint8Array.from([
    ...words16(id, 0, 1, 0, serial === undefined ? 0 : 1, 0),
    ...zone,
    ...words16(type, CLASS_IN),
    ...soa,
  ]);
}

export class TransferMessage {
  readonly octets: Uint8Array;
  readonly #view: DataView;
  /** Names that lie at an offset, and where they end: most are written once, and pointed to. */
  readonly #names = new Map<number, string>();
  #at = HEADER;
  #end = 0;

  constructor(octets: Uint8Array) {
    if (octets.length < HEADER)
      throw new MalformedMessage(`expected a header of ${HEADER} octets, got ${octets.length}`);
    this.octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  }

  get id(): number {
    return this.#view.getUint16(0);
  }

  get flags(): number {
    return this.#view.getUint16(2);
  }

  get rcode(): number {
    return this.flags & 0xf;
  }

  get opcode(): number {
    return (this.flags >>> 11) & 0xf;
  }

  /** The first question, and where it ends; undefined where there is none. */
  question(): { readonly name: string; readonly type: number; readonly end: number } | undefined {
    if (this.#view.getUint16(4) === 0) return undefined;
    this.#at = HEADER;
    const name = this.#name();
    return { name, type: this.#word16(), end: this.#at + 2 };
  }

  /** Of the answer section. */
  *answers(): Generator<TransferRecord> {
    this.#skipQuestions();
    for (let left = this.#view.getUint16(6); left > 0; left--) {
      const { owner, type, ttl, data, length } = this.#raw();
      const target = type === TYPE_CNAME ? this.#nameAt(data) : "";
      const soa = type === TYPE_SOA ? { soa: this.#soa(data, length) } : {};
      yield { owner, type, ttl, target, ...soa, readData: () => this.#wholeData(type, data, length) };
    }
  }

  /** The record of a signature, which is the last of all (RFC 8945, section 5.1). */
  signature(): RawRecord | undefined {
    const additional = this.#view.getUint16(10);
    if (additional === 0) return undefined;
    this.#skipQuestions();
    let last: RawRecord | undefined;
    for (let left = this.#view.getUint16(6) + this.#view.getUint16(8) + additional; left > 0; left--)
      last = this.#raw(true);
    return last?.type === TYPE_TSIG ? { ...last, owner: this.#nameAt(last.start) } : undefined;
  }

  #skipQuestions(): void {
    this.#at = HEADER;
    for (let left = this.#view.getUint16(4); left > 0; left--) {
      this.#skipName();
      this.#at += 4;
    }
  }

  #raw(nameless = false): RawRecord {
    const start = this.#at;
    const owner = nameless ? "" : this.#name();
    if (nameless) this.#skipName();
    const type = this.#word16();
    this.#at += 2;
    const ttl = this.#word16() * 2 ** 16 + this.#word16();
    const length = this.#word16();
    const data = this.#at;
    this.#at += length;
    if (this.#at > this.octets.length) throw new MalformedMessage("expected a whole record, got a part of one");
    return { owner, type, ttl, start, data, length };
  }

  /** Of a record's data, names may be pointers into the message (RFC 1035, section 4.1.4). */
  #wholeData(type: number, data: number, length: number): Uint8Array | undefined {
    const plain = this.octets.slice(data, data + length);
    switch (type) {
      case TYPE_TXT:
        return plain;
      case TYPE_A:
      case TYPE_AAAA: {
        const octets = type === TYPE_A ? 4 : 16;
        if (length === octets) return plain;
        throw new MalformedMessage(`expected an address of ${octets} octets, got ${length}`);
      }
      case TYPE_CNAME:
      case TYPE_PTR:
        return wireOfOwner(this.#nameAt(data));
      case TYPE_SRV:
        if (length < 7) throw new MalformedMessage(`expected a SRV of 7 octets or more, got ${length}`);
        return Uint8Array.from([...plain.subarray(0, 6), ...wireOfOwner(this.#nameAt(data + 6))]);
      default:
        return undefined;
    }
  }

  #soa(data: number, length: number): Soa {
    const end = data + length;
    if (length < 22) throw new MalformedMessage(`expected a SOA of 22 octets or more, got ${length}`);
    const [serial = 0, refresh = 0, retry = 0, expire = 0] = [20, 16, 12, 8].map((back) =>
      this.#view.getUint32(end - back),
    );
    return { serial, refresh, retry, expire };
  }

  #word16(): number {
    if (this.#at + 2 > this.octets.length)
      throw new MalformedMessage("expected more octets, got the end of the message");
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  #name(): string {
    const text = this.#nameAt(this.#at);
    this.#at = this.#end;
    return text;
  }

  /** Goes to the end of a name without reading it. */
  #skipName(): void {
    for (;;) {
      const length = this.octets[this.#at];
      if (length === undefined) throw new MalformedMessage("expected a name, got the end of the message");
      if (length >= 0xc0) {
        this.#at += 2;
        return;
      }
      this.#at += 1 + length;
      if (length === 0) return;
    }
  }

  /** With a final dot; `#end` is behind it then. */
  #nameAt(start: number): string {
    const labels: [at: number, text: string][] = [];
    let rest = "";
    let end = 0;
    for (let at = start, octets = 0; ; ) {
      const known = this.#names.get(at);
      if (known !== undefined && at !== start) {
        rest = known;
        break;
      }
      const length = this.octets[at];
      if (length === undefined) throw new MalformedMessage("expected a name, got the end of the message");
      if (length === 0) {
        if (end === 0) end = at + 1;
        break;
      }
      if (length >= 0xc0) {
        const to = ((length & 0x3f) << 8) | (this.octets[at + 1] ?? 0);
        // A pointer goes back (RFC 1035, section 4.1.4): so this ends.
        if (to >= at) throw new MalformedMessage("expected a pointer to an earlier name, got one that goes on");
        if (end === 0) end = at + 2;
        at = to;
        continue;
      }
      octets += length + 1;
      if (length > 63 || octets > MAX_NAME)
        throw new MalformedMessage("expected a name of at most 255 octets, got more");
      labels.push([at, presentLabel(this.octets, at + 1, length)]);
      at += 1 + length;
    }
    if (end === 0) end = this.#endOf(start);
    let text = rest;
    for (let index = labels.length - 1; index >= 0; index--) {
      const [at, label] = labels[index] as [number, string];
      text = text === "." || text === "" ? `${label}.` : `${label}.${text}`;
      this.#names.set(at, text);
    }
    this.#end = end;
    return text === "" ? "." : text;
  }

  #endOf(start: number): number {
    const before = this.#at;
    this.#at = start;
    this.#skipName();
    const end = this.#at;
    this.#at = before;
    return end;
  }
}

const decoder = new TextDecoder("latin1");

function presentLabel(octets: Uint8Array, start: number, length: number): string {
  const text = decoder.decode(octets.subarray(start, start + length));
  if (/^[a-z0-9_/-]*$/.test(text) || text === "*") return text;
  return text.replace(/[^A-Za-z0-9_/-]/g, (octet) => `\\${String(octet.charCodeAt(0)).padStart(3, "0")}`).toLowerCase();
}

/** In wire format, of a name as records have it; an asterisk is a label like any other. */
export function wireOfOwner(owner: string): Uint8Array {
  return parseName(owner.replaceAll(/(?<=^|\.)\*(?=\.)/g, "\\042")).wire;
}

export function words16(...words: readonly number[]): number[] {
  return words.flatMap((word) => [(word >>> 8) & 0xff, word & 0xff]);
}

export function words32(...words: readonly number[]): number[] {
  return words.flatMap((word) => [(word >>> 24) & 0xff, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]);
}
