/**
 * Types and RCODEs by their names.
 */

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

export function rcodeName(rcode: number): string {
  return knownRcode(rcode) ?? `RCODE${rcode}`;
}

/** Undefined where it has no name. */
export function knownRcode(rcode: number): string | undefined {
  return RCODES[rcode] ?? EXTENDED_RCODES[rcode];
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

/** Undefined where it has no mnemonic here. */
export function knownType(type: number): string | undefined {
  return TYPES[type];
}
