/**
 * Numbers and octets of DNS as people read them.
 */
import { OTHER } from "./bounded-labels.ts";

/** IANA "DNS RCODEs", as far as a response's header and EDNS have them. */
const RCODES: readonly string[] = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
  "DSOTYPENI",
];
const EXTENDED_RCODES: Readonly<Record<number, string>> = {
  16: "BADVERS",
  23: "BADCOOKIE",
  4095: "NONE",
};

export const TRANSPORTS: readonly string[] = ["udp", "tcp", "dot", "doh", "doh3"];
export const OUTCOMES: readonly string[] = [
  "forwarded",
  "denied",
  "rejected",
  "failed",
  "faulted",
  "answered",
  "limited",
];
export const CACHE_RESULTS: readonly string[] = ["none", "hit", "miss", "stale"];

/** Comparison.Result of sync.proto. */
export const COMPARISONS: readonly string[] = ["same", "different", "failed"];

export const AUDITED: readonly string[] = ["untouched", "allowed", "would_deny"];
/** RuleAction of verdict.proto. */
export const RULE_ACTIONS: readonly string[] = [
  "accept",
  "deny",
  "pass",
  "route",
  "fault",
  "answer",
  "ttl",
  "rewrite",
  "rate_limit",
  "strip",
  "mirror",
];

export function rcodeName(rcode: number): string {
  return RCODES[rcode] ?? EXTENDED_RCODES[rcode] ?? `RCODE${rcode}`;
}

/** For a label: numbers without a name are one value. */
export function rcodeLabel(rcode: number): string {
  return RCODES[rcode] ?? EXTENDED_RCODES[rcode] ?? OTHER;
}

/** IANA "Resource Record (RR) TYPEs" that are asked for in practice, and those that are no data. */
const TYPES: Readonly<Record<number, string>> = {
  1: "A",
  2: "NS",
  5: "CNAME",
  6: "SOA",
  10: "NULL",
  12: "PTR",
  13: "HINFO",
  15: "MX",
  16: "TXT",
  17: "RP",
  18: "AFSDB",
  24: "SIG",
  25: "KEY",
  28: "AAAA",
  29: "LOC",
  33: "SRV",
  35: "NAPTR",
  37: "CERT",
  39: "DNAME",
  41: "OPT",
  42: "APL",
  43: "DS",
  44: "SSHFP",
  45: "IPSECKEY",
  46: "RRSIG",
  47: "NSEC",
  48: "DNSKEY",
  49: "DHCID",
  50: "NSEC3",
  51: "NSEC3PARAM",
  52: "TLSA",
  53: "SMIMEA",
  55: "HIP",
  59: "CDS",
  60: "CDNSKEY",
  61: "OPENPGPKEY",
  62: "CSYNC",
  63: "ZONEMD",
  64: "SVCB",
  65: "HTTPS",
  99: "SPF",
  108: "EUI48",
  109: "EUI64",
  249: "TKEY",
  250: "TSIG",
  251: "IXFR",
  252: "AXFR",
  255: "ANY",
  256: "URI",
  257: "CAA",
};

/** The mnemonic, or TYPEn (RFC 3597). */
export function typeName(type: number): string {
  return TYPES[type] ?? `TYPE${type}`;
}

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(TYPES).map(([type, name]) => [name, Number(type)]));

/** Of a mnemonic or TYPEn, in any case; -1 for anything else. */
export function typeNumber(name: string): number {
  const folded = name.toUpperCase();
  return NUMBERS.get(folded) ?? Number(/^TYPE(\d{1,5})$/.exec(folded)?.[1] ?? -1);
}

/** For a label: types without a name, and 0, are one value. */
export function typeLabel(type: number): string {
  return TYPES[type] ?? OTHER;
}

/** A value of one of the lists above; numbers of a newer filter have none. */
export function nameOf(names: readonly string[], value: number): string {
  return names[value] ?? OTHER;
}

const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** Presentation form with its final dot (RFC 1035, section 5.1; RFC 4343, section 2.1). Never throws. */
export function presentName(wire: Uint8Array): string {
  if (wire.length === 0) return "";
  let text = "";
  for (let at = 0; at < wire.length; ) {
    const length = wire[at] ?? 0;
    if (length === 0) break;
    for (let i = at + 1; i <= at + length && i < wire.length; i++) text += presentOctet(wire[i] ?? 0);
    text += ".";
    at += length + 1;
  }
  return text === "" ? "." : text;
}

/** The same of a name whose octets are characters, as keys of tables are. */
export function presentLabels(octets: string): string {
  return presentName(Buffer.from(octets, "latin1"));
}

function presentOctet(octet: number): string {
  if (octet === DOT || octet === BACKSLASH) return `\\${String.fromCharCode(octet)}`;
  if (octet > 0x20 && octet < 0x7f) return String.fromCharCode(octet);
  return `\\${String(octet).padStart(3, "0")}`;
}

/** The text of 4 or 16 octets (RFC 5952); empty for anything else. */
export function presentAddress(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return "";
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((((octets[i] ?? 0) << 8) | (octets[i + 1] ?? 0)).toString(16));
  return shorten(groups);
}

/** The longest run of two or more zero groups, the first of equals, becomes `::`. */
function shorten(groups: readonly string[]): string {
  let best = { start: 0, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length < 2) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

const UPPER = /[A-Z]/;

/** Wire format as one character an octet, in lower case: a key that costs little. (A length octet is no letter.) */
export function foldedName(wire: Uint8Array): string {
  const text = latin1(wire);
  // Only these: toLowerCase() would change octets above 127, too.
  return UPPER.test(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

export function latin1(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("latin1");
}
