/**
 * Address blocks and addresses, as people write them.
 */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

export class Network {
  readonly family: 4 | 6;
  /** 4 or 16 octets; those beyond the length are 0. */
  readonly octets: Uint8Array;
  readonly length: number;
  readonly text: string;

  constructor(octets: Uint8Array, length: number) {
    this.family = octets.length === 4 ? 4 : 6;
    this.octets = octets;
    this.length = length;
    this.text = `${ipaddr.fromByteArray([...octets]).toString()}/${length}`;
  }

  toJSON(): string {
    return this.text;
  }

  /** Whether the blocks have an address in common. */
  overlaps(other: Network): boolean {
    if (this.family !== other.family) return false;
    const bits = Math.min(this.length, other.length);
    return this.octets.every((octet, index) => {
      const mask = 0xff & (0xff00 >> Math.max(0, Math.min(8, bits - index * 8)));
      return ((octet ^ (other.octets[index] ?? 0)) & mask) === 0;
    });
  }
}

export const NETWORK = /^([^/]+)\/(\d{1,3})$/;

/** The block, or what was expected instead. */
export function parseNetwork(text: string): Network | string {
  const match = NETWORK.exec(text);
  if (match === null) return "an address block as 10.0.0.0/8 or fd00::/8";
  const [, address = "", digits = ""] = match;
  const octets = parseLiteral(address);
  if (octets === undefined) return "an IPv4 or IPv6 address before the slash";
  const length = Number(digits);
  if (length > octets.length * 8) return `a prefix length of at most ${octets.length * 8}`;
  if (isMapped(octets)) return "an IPv4 block without ::ffff:, which means the same clients";
  const network = new Network(maskOctets(octets, length), length);
  if (!network.octets.every((octet, index) => octet === octets[index])) {
    return `no bits beyond the prefix (${network.text}?)`;
  }
  return network;
}

/** 4 or 16 octets, or what was expected instead. */
export function parseAddress(text: string): Uint8Array | string {
  return parseLiteral(text) ?? "an IPv4 or IPv6 address";
}

/** The address in canonical text, or what was expected instead. */
export function parseServerAddress(text: string): { readonly address: string } | string {
  const octets = parseLiteral(text);
  if (octets === undefined) return "an IPv4 or IPv6 address (a name would need a resolver, which this is)";
  const parsed = ipaddr.fromByteArray([...octets]);
  const range = parsed.range();
  if (range === "unspecified" || range === "multicast" || range === "broadcast") {
    return `the address of a server, and ${range} is none`;
  }
  if (isMapped(octets)) return "an IPv4 address without ::ffff:";
  return { address: parsed.toString() };
}

function parseLiteral(text: string): Uint8Array | undefined {
  // Node's check is strict where ipaddr.js takes octal, hexadecimal and short forms; a zone is no part of an address.
  if (!isIPv4(text) && (!isIPv6(text) || text.includes("%"))) return undefined;
  return Uint8Array.from(ipaddr.parse(text).toByteArray());
}

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2. */
function isMapped(octets: Uint8Array): boolean {
  return (
    octets.length === 16 &&
    octets.subarray(0, 10).every((octet) => octet === 0) &&
    octets[10] === 0xff &&
    octets[11] === 0xff
  );
}

function maskOctets(octets: Uint8Array, length: number): Uint8Array {
  return octets.map((octet, index) => octet & (0xff00 >> Math.max(0, Math.min(8, length - index * 8))));
}
