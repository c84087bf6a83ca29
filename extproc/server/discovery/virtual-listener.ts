/**
 * The listener to which the kernel brings connections to virtual addresses: a filter chain for each address and port, by which
 * one destination is told from another, and one for all else, which ends the connection.
 *
 * An Envoy asks for it, and says where it shall listen, by `virtual_addresses` in its node's metadata (envoy/virtual.ts).
 */
import type { Node__Output } from "../../gen/types/envoy/config/core/v3/Node.ts";
import { messageType, pack } from "../../messages/protos.ts";
import { type Asker, checkedConnections, checkFilter } from "./connection-check.ts";
import type { Resource } from "./resource.ts";

export const LISTENER_TYPE = "envoy.config.listener.v3.Listener";
/** Also the name by which Envoy limits its connections (envoy.resource_limits.listener.NAME.connection_limit). */
const NAME = "virtual";

export interface VirtualOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  /** We are asked of each connection; by whom. */
  readonly check: Omit<Asker, "secret"> | undefined;
}

/** Undefined for an Envoy that asks for none, or not as we know it. */
export function readVirtualOptions(node: Node__Output | null): VirtualOptions | undefined {
  const fields = node?.metadata?.fields?.virtual_addresses?.structValue?.fields;
  const addresses = (fields?.addresses?.listValue?.values ?? []).flatMap(({ stringValue = "" }) => stringValue);
  const port = fields?.port?.numberValue;
  if (port === undefined || addresses.length === 0) return undefined;
  const asker = { node: node?.id ?? "", tenant: fields?.tenant?.stringValue };
  return { addresses, port, check: fields?.check?.boolValue === true ? asker : undefined };
}

/**
 * `chains`: FilterChains, encoded; not two of them for one address and port. `secret` is what calls to us are authorised by.
 *
 * A field of a protobuf message may be put before or behind the others, octet by octet.
 */
export function virtualListener(
  options: VirtualOptions,
  chains: readonly Uint8Array[],
  secret: string | undefined,
): Resource {
  const asker = options.check && { ...options.check, secret };
  const { type_url, value } = pack(LISTENER_TYPE, head(options, asker));
  // Of a chain's filters the first, in front of the one that leads on.
  const check = asker ? field(FILTERS, FILTER.encode(checkFilter(asker, NAME))) : [];
  const whole = chains.flatMap((chain) => field(FILTER_CHAINS, ...check, chain));
  return { type_url, value: Buffer.concat([value, ...whole]) };
}

function head({ addresses, port }: VirtualOptions, asker: Asker | undefined): Record<string, unknown> {
  const [address, ...others] = addresses.map((text) => ({ socket_address: { address: text, port_value: port } }));
  return {
    name: NAME,
    stat_prefix: NAME,
    address,
    additional_addresses: others.map((other) => ({ address: other })),
    enable_reuse_port: { value: true },
    per_connection_buffer_limit_bytes: { value: 131_072 },
    listener_filters_timeout: { seconds: 2 },
    access_log: asker ? [checkedConnections(asker, NAME)] : [],
    listener_filters: [
      {
        name: "envoy.filters.listener.original_dst",
        typed_config: pack("envoy.extensions.filters.listener.original_dst.v3.OriginalDst", {}),
      },
    ],
    default_filter_chain: {
      name: "unknown",
      filters: [
        {
          name: "envoy.filters.network.tcp_proxy",
          // There is no such cluster: the connection is ended, and counted.
          typed_config: pack("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", {
            stat_prefix: `${NAME}_unknown`,
            cluster: `${NAME}_unknown`,
          }),
        },
      ],
    },
  };
}

const FILTER = messageType<Record<string, unknown>, unknown>("envoy.config.listener.v3.Filter");
/** Listener.filter_chains. */
const FILTER_CHAINS = 3;
/** FilterChain.filters. */
const FILTERS = 3;
const LENGTH_DELIMITED = 2;

function field(number: number, ...parts: readonly Uint8Array[]): Uint8Array[] {
  const octets = [(number << 3) | LENGTH_DELIMITED];
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  for (; length > 127; length >>>= 7) octets.push((length & 127) | 128);
  return [Uint8Array.from([...octets, length]), ...parts];
}
