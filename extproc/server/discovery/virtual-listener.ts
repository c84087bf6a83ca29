/**
 * The listener to which the kernel brings connections to virtual addresses: a filter chain for each address and port, by which
 * one destination is told from another, and one for all else, which ends the connection.
 *
 * An Envoy asks for it, and says where it shall listen, by `virtual_addresses` in its node's metadata (envoy/virtual.ts).
 */
import type { Struct__Output } from "../../gen/types/google/protobuf/Struct.ts";
import { pack } from "../../messages/protos.ts";
import type { Resource } from "./envoy-stream.ts";

export const LISTENER_TYPE = "envoy.config.listener.v3.Listener";
/** Also the name by which Envoy limits its connections (envoy.resource_limits.listener.NAME.connection_limit). */
const NAME = "virtual";

export interface VirtualOptions {
  readonly addresses: readonly string[];
  readonly port: number;
}

/** Undefined for an Envoy that asks for none, or not as we know it. */
export function readVirtualOptions(metadata: Struct__Output | null | undefined): VirtualOptions | undefined {
  const fields = metadata?.fields?.virtual_addresses?.structValue?.fields;
  const addresses = (fields?.addresses?.listValue?.values ?? []).flatMap(({ stringValue = "" }) => stringValue);
  const port = fields?.port?.numberValue;
  return port === undefined || addresses.length === 0 ? undefined : { addresses, port };
}

/** `chains`: FilterChains, encoded; not two of them for one address and port. */
export function virtualListener(options: VirtualOptions, chains: readonly Uint8Array[]): Resource {
  const { type_url, value } = pack(LISTENER_TYPE, head(options));
  return { type_url, value: Buffer.concat([value, ...chains.flatMap((chain) => [tagOf(chain), chain])]) };
}

function head({ addresses, port }: VirtualOptions): Record<string, unknown> {
  const [address, ...others] = addresses.map((text) => ({ socket_address: { address: text, port_value: port } }));
  return {
    name: NAME,
    stat_prefix: NAME,
    address,
    additional_addresses: others.map((other) => ({ address: other })),
    enable_reuse_port: { value: true },
    per_connection_buffer_limit_bytes: { value: 131_072 },
    listener_filters_timeout: { seconds: 2 },
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

/** Listener.filter_chains: a field of a protobuf message may be put behind the others, octet by octet. */
const FILTER_CHAINS = 3;
const LENGTH_DELIMITED = 2;

function tagOf({ length }: Uint8Array): Uint8Array {
  const octets = [(FILTER_CHAINS << 3) | LENGTH_DELIMITED];
  for (; length > 127; length >>>= 7) octets.push((length & 127) | 128);
  return Uint8Array.from([...octets, length]);
}
