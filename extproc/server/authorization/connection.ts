/**
 * A connection that an Envoy asks about: who opens it, and to where.
 */
import { parseAddress } from "../../decide/address.ts";
import type { _envoy_service_auth_v3_AttributeContext_Peer__Output as Peer } from "../../gen/types/envoy/service/auth/v3/AttributeContext.ts";
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
}

/** What Envoy has sent is no connection between two addresses: it is not opened. */
export class MalformedCheck extends Error {
  override readonly name = "MalformedCheck";
}

/** `tenant` comes with the call, from Envoy's own configuration, never from the client. */
export function readConnection({ attributes }: CheckRequest__Output, tenant: string | undefined): Connection {
  const source = attributes?.source;
  const { octets: client } = readPeer("source", source);
  const { octets: address, port } = readPeer("destination", attributes?.destination);
  // Of a certificate without a URI, Envoy says its DNS name or its subject here.
  const principal = source?.principal.includes("://") ? source.principal : undefined;
  return { client, principal, tenant, address, port };
}

function readPeer(what: string, peer: Peer | null | undefined): { readonly octets: Uint8Array; readonly port: number } {
  const { address = "", port_value: port = 0 } = peer?.address?.socket_address ?? {};
  const octets = parseAddress(address);
  if (octets === undefined) throw new MalformedCheck(`expected an IP address as ${what}, got ${address.slice(0, 100)}`);
  return { octets: withoutMapping(octets), port };
}

/** ::ffff:192.0.2.1 of a socket for both families is 192.0.2.1 (RFC 4291, section 2.5.5.2). */
function withoutMapping(octets: Uint8Array): Uint8Array {
  const mapped = octets.length === 16 && octets.every((octet, at) => at > 11 || octet === (at > 9 ? 255 : 0));
  return mapped ? octets.subarray(12) : octets;
}
