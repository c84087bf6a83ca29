/**
 * Records as zone files have them (RFC 1035, section 5.1), without owner, TTL and class: `A 192.0.2.1`,
 * `MX 10 mail.example`, `TXT "two words"`, `HTTPS 1 . alpn=h2`, and `TYPE65280 \# 2 0aff` (RFC 3597) for all others.
 * Names are whole names, with or without a final dot.
 */
import { NameSyntaxError, parseName } from "./name-pattern.ts";
import { parseAddress } from "./network.ts";
import { parseRecordType } from "./record-type.ts";

export class OwnRecord {
  readonly type: number;
  /** RDATA in wire format, names in it uncompressed. */
  readonly data: Uint8Array;
  readonly text: string;

  constructor(type: number, data: Uint8Array, text: string) {
    this.type = type;
    this.data = data;
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

export const TYPE_CNAME = 5;

/** What was expected instead, out of the depth of a record. */
class Expected extends Error {}

type Fields = readonly string[];

const FORMS: Readonly<Record<number, { readonly shape: string; readonly read: (fields: Fields) => Uint8Array[] }>> = {
  1: { shape: "A 192.0.2.1", read: ([address = ""]) => [readAddress(address, 4)] },
  2: { shape: "NS ns.example", read: ([name = ""]) => [readName(name)] },
  5: { shape: "CNAME www.example", read: ([name = ""]) => [readName(name)] },
  12: { shape: "PTR www.example", read: ([name = ""]) => [readName(name)] },
  15: { shape: "MX 10 mail.example", read: ([order = "", name = ""]) => [number16(order), readName(name)] },
  16: { shape: 'TXT "text"', read: (texts) => texts.map(readText) },
  28: { shape: "AAAA 2001:db8::1", read: ([address = ""]) => [readAddress(address, 16)] },
  33: {
    shape: "SRV 10 5 443 host.example",
    read: ([priority = "", weight = "", port = "", name = ""]) => [
      number16(priority),
      number16(weight),
      number16(port),
      readName(name),
    ],
  },
  64: { shape: "SVCB 1 host.example alpn=h2 port=8443", read: readService },
  65: { shape: "HTTPS 1 . alpn=h2,h3", read: readService },
};

/** How many fields there are; of those that are not here, one or more. */
const FIELD_COUNTS: Readonly<Record<number, number>> = { 1: 1, 2: 1, 5: 1, 12: 1, 15: 2, 28: 1, 33: 4 };

/** RDLENGTH has 16 bits; what is larger than this is no answer to give over UDP. */
const MAX_DATA = 1024;

/** The record, or what was expected instead. */
export function parseRecord(text: string): OwnRecord | string {
  const [name = "", ...fields] = splitFields(text);
  const type = parseRecordType(name);
  if (typeof type === "string") return `a record as A 192.0.2.1, its type ${type}`;
  const form = FORMS[type];
  try {
    const parts = fields[0] === "\\#" ? [readGeneric(fields.slice(1))] : form && readFields(type, form, fields);
    if (parts === undefined) return `a record of type ${name} as ${name} \\# 2 0aff (RFC 3597)`;
    const data = Buffer.concat(parts);
    if (data.length > MAX_DATA) return `at most ${MAX_DATA} octets of data in a record`;
    return new OwnRecord(type, Uint8Array.from(data), text);
  } catch (error) {
    if (error instanceof NameSyntaxError) return `${error.message}, in a record as ${form?.shape}`;
    if (error instanceof Expected) return `${error.message}, in a record as ${form?.shape ?? `${name} \\# 2 0aff`}`;
    throw error;
  }
}

function readFields(type: number, { read }: { readonly read: (fields: Fields) => Uint8Array[] }, fields: Fields) {
  const count = FIELD_COUNTS[type];
  if (count === undefined ? fields.length === 0 : fields.length !== count) {
    throw new Expected(`${count ?? "one or more"} fields of data`);
  }
  return read(fields);
}

/** Fields between blanks; a quoted one keeps its blanks, and a backslash takes the next character as it is. */
function splitFields(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? "") : quoted.replace(/\\(.)/g, "$1"),
  );
}

function readAddress(text: string, octets: 4 | 16): Uint8Array {
  const address = parseAddress(text);
  if (typeof address === "string" || address.length !== octets) {
    throw new Expected(`an IPv${octets === 4 ? 4 : 6} address`);
  }
  return address;
}

function readName(text: string): Uint8Array {
  const { labels } = parseName(text);
  return Buffer.concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), Uint8Array.of(0)]);
}

function number16(text: string): Uint8Array {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 0xffff)) throw new Expected("a number of 0 to 65535");
  return Uint8Array.of(value >> 8, value & 255);
}

/** A character-string, RFC 1035 section 3.3. */
function readText(text: string): Uint8Array {
  const octets = new TextEncoder().encode(text);
  if (octets.length > 255) throw new Expected("texts of at most 255 octets");
  return Buffer.concat([Uint8Array.of(octets.length), octets]);
}

function readGeneric([length = "", ...hex]: Fields): Uint8Array {
  const digits = hex.join("");
  if (!/^([0-9A-Fa-f]{2})*$/.test(digits) || Number(length) * 2 !== digits.length) {
    throw new Expected("a length and so many octets in hexadecimal digits");
  }
  return Buffer.from(digits, "hex");
}

/** RFC 9460, section 14.3.2. */
const SERVICE_KEYS: Readonly<Record<string, readonly [key: number, read: (value: string) => Uint8Array]>> = {
  alpn: [1, (value) => Buffer.concat(value.split(",").map(readText))],
  "no-default-alpn": [2, () => new Uint8Array()],
  port: [3, number16],
  ipv4hint: [4, (value) => Buffer.concat(value.split(",").map((one) => readAddress(one, 4)))],
  ipv6hint: [6, (value) => Buffer.concat(value.split(",").map((one) => readAddress(one, 16)))],
};

function readService([priority = "", target = "", ...parameters]: Fields): Uint8Array[] {
  const read = parameters.map((parameter) => {
    const [name = "", value = ""] = parameter.split(/=(.*)/s);
    const known = Object.hasOwn(SERVICE_KEYS, name) ? SERVICE_KEYS[name] : undefined;
    if (known === undefined) throw new Expected(`${Object.keys(SERVICE_KEYS).join(", ")}, each with = and a value`);
    return { key: known[0], value: known[1](value) };
  });
  // In the order of their keys, each once (RFC 9460, section 2.2).
  read.sort((a, b) => a.key - b.key);
  if (read.some(({ key }, index) => read[index + 1]?.key === key)) throw new Expected("each parameter once");
  return [
    number16(priority),
    readName(target),
    ...read.flatMap(({ key, value }) => [number16(String(key)), number16(String(value.length)), value]),
  ];
}
