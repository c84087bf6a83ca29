/**
 * Record types by mnemonic (IANA "Resource Record (RR) TYPEs") or as TYPEn (RFC 3597).
 */

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  NSAP: 22,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  URI: 256,
  CAA: 257,
  AVC: 258,
};

/** The number, or what was expected instead. */
export function parseRecordType(text: string): number | string {
  const upper = text.toUpperCase();
  const known = Object.hasOwn(TYPES, upper) ? TYPES[upper] : undefined;
  if (known !== undefined) return known;
  if (upper === "ANY" || upper === "*" || upper === "AXFR" || upper === "IXFR" || upper === "OPT") {
    return `a type of data: queries for ${upper} are answered before any policy`;
  }
  const generic = /^TYPE(\d{1,5})$/.exec(upper);
  const number = generic === null ? Number.NaN : Number(generic[1]);
  // 0 and OPT are no types, 128 to 255 are meta types (RFC 6895 section 3.1).
  if (number > 0 && number <= 0xffff && number !== 41 && (number < 128 || number > 255)) return number;
  return "a record type as A, AAAA, HTTPS or TYPE65280";
}
