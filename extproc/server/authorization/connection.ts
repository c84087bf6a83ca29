/**
 * A connection that an Envoy asks about: who opens it, and to where.
 */
import { parseAddress } from "../../decide/address.ts";
import type { CheckRequest__Output } from "../../gen/types/envoy/service/auth/v3/CheckRequest.ts";

export interface Connection {
  /** 4 or 16 octets, as of `address`. */
  readonly client: Uint8Array;
  /** URI SAN of a certificate that Envoy validated. */
  readonly principal: string | undefined;
  /** Fixed identity of whoever is behind this Envoy: metadata.name of a Tenant. */
  readonly tenant: string | undefined;
  /** Where it goes to. */
  readonly address: Uint8Array;
  readonly port: number;
  /** To whose address Envoy's listener says that it goes. */
  readonly host: string | undefined;
}

/** What Envoy has sent is no connection between two addresses: it is not opened. */
export class MalformedCheck extends Error {
  override readonly name = "MalformedCheck";
}

/** `tenant` comes with the call, from Envoy's own configuration, never from the client. */
export function readConnection({ attributes }: CheckRequest__Output, tenant: string | undefined): Connection {
  const source = attributes?.source;
  const destination = attributes?.destination?.address?.socket_address;
  const client = readPlace("source", source?.address?.socket_address?.address);
  const address = readPlace("destination", destination?.address);
  // Of a certificate without a URI, Envoy says its DNS name or its subject here.
  const principal = source?.principal.includes("://") ? source.principal : undefined;
  return { client, principal, tenant, address, port: destination?.port_value ?? 0, host: undefined };
}

/** `what` it is, for whoever has to mend it. */
export function readPlace(what: string, address = ""): Uint8Array {
  const octets = parseAddress(address);
  if (octets === undefined) throw new MalformedCheck(`expected an IP address as ${what}, got ${address.slice(0, 100)}`);
  return withoutMapping(octets);
}

/** ::ffff:192.0.2.1 of a socket for both families is 192.0.2.1 (RFC 4291, section 2.5.5.2). */
function withoutMapping(octets: Uint8Array): Uint8Array {
  const mapped = octets.length === 16 && octets.every((octet, at) => at > 11 || octet === (at > 9 ? 255 : 0));
  return mapped ? octets.subarray(12) : octets;
}
