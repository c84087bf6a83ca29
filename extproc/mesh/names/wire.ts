/**
 * Names and record data of the mesh, in wire format (RFC 1035, section 3.1) as strings of one character an octet: keys
 * that can be compared, and turned into octets without a look at what they are.
 */

import { isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";
import { MAX_LABEL, MAX_NAME } from "../../dns/names.ts";
import { parseName } from "../../resources/name-pattern.ts";
import { toOctets } from "../sources/schema.ts";

/** Octets, one a character. */
export type Octets = string;

export const TYPE_A = 1;
export const TYPE_CNAME = 5;
export const TYPE_PTR = 12;
export const TYPE_TXT = 16;
export const TYPE_AAAA = 28;
export const TYPE_SRV = 33;

const IN_ADDR = wireOf("in-addr.arpa");
const IP6 = wireOf("ip6.arpa");

export interface RecordData {
  readonly type: number;
  readonly data: Octets;
  /** Where what has the address runs, `REGION/ZONE`. */
  readonly place?: string;
}

export function toText(octets: Uint8Array): Octets {
  return Buffer.from(octets).toString("latin1");
}

/** Of a name that was checked when it was read; in lower case. */
export function wireOf(name: string): Octets {
  return toText(parseName(name).wire);
}

/** Labels put before a name; undefined where that is no name any more. */
export function prepend(labels: readonly string[], name: Octets): Octets | undefined {
  const parts: string[] = [];
  let length = name.length;
  for (const label of labels) {
    if (label.length === 0 || label.length > MAX_LABEL) return undefined;
    parts.push(String.fromCharCode(label.length), label.toLowerCase());
    length += 1 + label.length;
  }
  parts.push(name);
  // In one piece: what is put together by + keeps its parts, and is put together when it is looked up.
  return length > MAX_NAME ? undefined : parts.join("");
}

/** Without its first label; undefined for the root. */
export function parentOf(name: Octets): Octets | undefined {
  const length = name.charCodeAt(0);
  return length === 0 ? undefined : name.slice(length + 1);
}

export function addressRecord(address: string, place?: string): RecordData {
  const where = place === undefined ? {} : { place };
  if (isIPv4(address)) return { type: TYPE_A, data: String.fromCharCode(...address.split(".").map(Number)), ...where };
  const octets = toOctets(address);
  return { type: octets.length === 4 ? TYPE_A : TYPE_AAAA, data: toText(octets), ...where };
}

export function aliasRecord(target: Octets): RecordData {
  return { type: TYPE_CNAME, data: target };
}

export function pointerRecord(target: Octets): RecordData {
  return { type: TYPE_PTR, data: target };
}

/** RFC 2782; by default with the weight that CoreDNS gives. */
export function serviceRecord(port: number, target: Octets, priority = 0, weight = 100): RecordData {
  return { type: TYPE_SRV, data: uint16(priority) + uint16(weight) + uint16(port) + target };
}

export function textRecord(text: string): RecordData {
  return { type: TYPE_TXT, data: String.fromCharCode(text.length) + text };
}

/** As a worker is told of them: type, length and data of one after the other. */
export function encodeRecords(records: readonly RecordData[]): Octets {
  const parts: Octets[] = [];
  for (const { type, data } of records) parts.push(uint16(type), uint16(data.length), data);
  return parts.join("");
}

/** What `encodeRecords` has made. */
export function decodeRecords(octets: Octets): RecordData[] {
  const records: RecordData[] = [];
  for (let at = 0; at < octets.length; ) {
    const end = at + 4 + uint16At(octets, at + 2);
    records.push({ type: uint16At(octets, at), data: octets.slice(at + 4, end) });
    at = end;
  }
  return records;
}

/** The name in in-addr.arpa or ip6.arpa (RFC 1035, section 3.5; RFC 3596, section 2.5). */
export function reverseOf(address: string): Octets {
  if (isIPv4(address)) return prepend(address.split(".").reverse(), IN_ADDR) ?? IN_ADDR;
  return reverseZone([...toOctets(address)], 128);
}

/** The zone of the first `bits` of an address: whole octets of IPv4, whole nibbles of IPv6. */
export function reverseZone(octets: readonly number[], bits: number): Octets {
  const labels =
    octets.length === 4
      ? octets.slice(0, Math.floor(Math.min(bits, 32) / 8)).map(String)
      : octets
          .flatMap((octet) => [octet >> 4, octet & 15])
          .slice(0, Math.floor(bits / 4))
          .map((nibble) => nibble.toString(16));
  const root = octets.length === 4 ? IN_ADDR : IP6;
  return prepend(labels.reverse(), root) ?? root;
}

/** An address as a label: 10-0-0-1, or fd00--7. */
export function addressLabel(address: string): string {
  if (isIPv4(address)) return address.replaceAll(".", "-");
  return ipaddr.parse(address).toString().replaceAll(/[.:]/g, "-");
}

function uint16(value: number): Octets {
  return String.fromCharCode(value >> 8, value & 255);
}

function uint16At(octets: Octets, at: number): number {
  return (octets.charCodeAt(at) << 8) | octets.charCodeAt(at + 1);
}
