/**
 * Upstreams as workers and Envoy know them: numbers, clusters, and the views of what they answer.
 */
import { type ClusterDefinition, Protocol, type ServerMessage, type UpstreamMessage } from "../compiled/messages.ts";
import type { Upstream } from "../resources/schema.ts";
import { shortHash } from "./canonical.ts";

const PROTOCOLS = { DoT: Protocol.DOT, TCP: Protocol.TCP, DoH: Protocol.DOH, DoH3: Protocol.DOH3 } as const;

const HTTPS_PORT = 443;

export interface CompiledUpstreams {
  /** Upstream.id by metadata.name. */
  readonly ids: ReadonlyMap<string, number>;
  readonly messages: readonly UpstreamMessage[];
  readonly clusters: readonly ClusterDefinition[];
}

export function compileUpstreams(upstreams: readonly Upstream[]): CompiledUpstreams {
  const ids = new Map<string, number>();
  const messages: UpstreamMessage[] = [];
  const clusters: ClusterDefinition[] = [];
  const known = new Set<string>();
  for (const { metadata, spec } of upstreams) {
    const id = messages.length + 1;
    const protocol = PROTOCOLS[spec.protocol];
    const servers: ServerMessage[] = [];
    for (const { address, port, serverName, path } of spec.servers) {
      const definition = { protocol, address, port, serverName, ca: spec.ca };
      const cluster = clusterName(metadata.name, definition);
      const host = address.includes(":") ? `[${address}]` : address;
      const http = path !== "";
      const authority = !http ? "" : port === HTTPS_PORT ? serverName : `${serverName}:${port}`;
      servers.push({ cluster, name: `${host}:${port}`, authority, path });
      // Two paths of one DoH server share its connections.
      if (!known.has(cluster)) clusters.push({ name: cluster, ...definition });
      known.add(cluster);
    }
    ids.set(metadata.name, id);
    messages.push({ id, name: metadata.name, protocol, servers, ecs: spec.ecs });
  }
  return { ids, messages, clusters };
}

/** Everything that defines the one server is in the name: a changed server is another cluster. */
function clusterName(upstream: string, definition: Omit<ClusterDefinition, "name">): string {
  return `up/${upstream}/${shortHash(definition, 6)}`;
}

/**
 * The hash of everything that shapes an answer. Upstreams count by what they are, not by their name: renaming one
 * keeps its answers, and pointing a name elsewhere does not.
 */
export function viewOf(upstream: Upstream, zone: string | undefined, owner: string | undefined): string {
  const { protocol, servers, ca, ecs } = upstream.spec;
  return shortHash({ upstream: { protocol, servers, ca, ecs }, zone: zone ?? null, owner: owner ?? null }, 8);
}
