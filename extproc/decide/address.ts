/**
 * Client addresses: text to octets.
 */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** 4 or 16 octets; undefined for anything but an IPv4 or IPv6 address. A zone (`%eth0`) is no part of it. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(ipaddr.IPv4.parse(text).toByteArray());
  if (!isIPv6(text)) return undefined;
  const zone = text.indexOf("%");
  return Uint8Array.from(ipaddr.IPv6.parse(zone < 0 ? text : text.slice(0, zone)).toByteArray());
}
