/**
 * Socket addresses as Envoy writes them.
 */
import type { Config } from "./config.ts";
import type { Endpoint } from "./options.ts";

export function socketAddress(address: string, port: number, protocol: "TCP" | "UDP" = "TCP"): Config {
  return { socket_address: { ...(protocol === "UDP" ? { protocol } : {}), address, port_value: port } };
}

/** `mode` is for a socket file that Envoy makes. */
export function endpointAddress(endpoint: Endpoint, mode?: number): Config {
  if ("path" in endpoint) return { pipe: { path: endpoint.path, ...(mode === undefined ? {} : { mode }) } };
  return socketAddress(endpoint.address, endpoint.port);
}

/** `address` and `additional_addresses` of a listener on one port of several addresses. */
export function listenerAddresses(addresses: string[], port: number, protocol: "TCP" | "UDP" = "TCP"): Config {
  const [first, ...others] = addresses;
  if (first === undefined) throw new Error("addresses: expected at least one, got none");
  const additional = others.map((address) => ({ address: socketAddress(address, port, protocol) }));
  return {
    address: socketAddress(first, port, protocol),
    ...(additional.length > 0 ? { additional_addresses: additional } : {}),
  };
}

/** A CIDR block, or one address. */
export function cidrRange(block: string): Config {
  const [address = "", bits] = block.split("/");
  return { address_prefix: address, prefix_len: Number(bits ?? (address.includes(":") ? 128 : 32)) };
}
