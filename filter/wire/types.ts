// Numbers of the DNS protocol, as IANA's "Domain Name System (DNS) Parameters" lists them.

export const enum Rcode {
  NOERROR = 0,
  FORMERR = 1,
  SERVFAIL = 2,
  NXDOMAIN = 3,
  NOTIMP = 4,
  REFUSED = 5,
  YXDOMAIN = 6,
  BADVERS = 16,
  /** No RCODE of anybody's (RFC 6895, section 2.3): no answer is sent. */
  NONE = 4095,
}

export const enum Type {
  A = 1,
  NS = 2,
  MD = 3,
  MF = 4,
  CNAME = 5,
  SOA = 6,
  MB = 7,
  MG = 8,
  MR = 9,
  PTR = 12,
  HINFO = 13,
  MINFO = 14,
  MX = 15,
  TXT = 16,
  RP = 17,
  AFSDB = 18,
  RT = 21,
  SIG = 24,
  PX = 26,
  AAAA = 28,
  NXT = 30,
  SRV = 33,
  NAPTR = 35,
  KX = 36,
  DNAME = 39,
  OPT = 41,
  DS = 43,
  RRSIG = 46,
  NSEC = 47,
  DNSKEY = 48,
  NSEC3 = 50,
  TLSA = 52,
  SVCB = 64,
  HTTPS = 65,
  TKEY = 249,
  TSIG = 250,
  IXFR = 251,
  AXFR = 252,
  MAILB = 253,
  MAILA = 254,
  ANY = 255,
  CAA = 257,
}

export const CLASS_IN: u32 = 1;

/** Header flags, as the 16 bits of octets 2 and 3 (RFC 1035, section 4.1.1; RFC 4035, section 3). */
export const enum Flag {
  QR = 0x8000,
  OPCODE = 0x7800,
  AA = 0x0400,
  TC = 0x0200,
  RD = 0x0100,
  RA = 0x0080,
  Z = 0x0040,
  AD = 0x0020,
  CD = 0x0010,
  RCODE = 0x000f,
}

/** EDNS option codes (RFC 6891, section 6.1.2). */
export const enum Option {
  ECS = 8,
  KEEPALIVE = 11,
  PADDING = 12,
  EDE = 15,
  /** For local use (RFC 6891, section 9): the number that dnsdist and PowerDNS Recursor have for it. */
  TRACEPARENT = 65500,
}

/** INFO-CODEs of RFC 8914, section 4; -1 is none. */
export const enum Ede {
  None = -1,
  Other = 0,
  StaleAnswer = 3,
  Blocked = 15,
  Filtered = 17,
  Prohibited = 18,
  NotReady = 14,
  StaleNxdomain = 19,
  NotSupported = 21,
  NoReachableAuthority = 22,
  NetworkError = 23,
  InvalidData = 24,
}

export const HEADER_SIZE: u32 = 12;
export const MAX_MESSAGE: u32 = 65535;

export function read16(at: usize): u32 {
  return bswap<u16>(load<u16>(at));
}

export function read32(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

export function write16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

export function write32(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}
