/**
 * Upstreams as workers and Envoy know them: numbers, clusters, and the views of what they answer.
 */

import {
  type ClusterDefinition,
  Protocol,
  type ServerMessage,
  Strategy,
  type UpstreamMessage,
} from "../compiled/messages.ts";
import { formatEndpoint } from "../endpoint.ts";
import type { NamePattern } from "../resources/name-pattern.ts";
import type { Upstream } from "../resources/upstream-schema.ts";
import { shortHash } from "./canonical.ts";

const PROTOCOLS = { DoT: Protocol.DOT, TCP: Protocol.TCP, DoH: Protocol.DOH, DoH3: Protocol.DOH3 } as const;

const STRATEGIES = {
  Ordered: Strategy.ORDERED,
  RoundRobin: Strategy.ROUND_ROBIN,
  Fastest: Strategy.FASTEST,
  Race: Strategy.RACE,
} as const;

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
    const { ca, pins, clientCertificate, minimumVersion } = spec;
    for (const { address, port, serverName, path, priority } of byPriority(spec.servers)) {
      const definition = { protocol, address, port, serverName, ca, pins, clientCertificate, minimumVersion };
      const cluster = clusterName(metadata.name, definition);
      const http = path !== "";
      const authority = !http ? "" : port === HTTPS_PORT ? serverName : `${serverName}:${port}`;
      servers.push({ cluster, name: formatEndpoint({ kind: "tcp", host: address, port }), authority, path, priority });
      // Two paths of one DoH server share its connections.
      if (!known.has(cluster)) clusters.push({ name: cluster, ...definition });
      known.add(cluster);
    }
    ids.set(metadata.name, id);
    messages.push({
      id,
      name: metadata.name,
      protocol,
      servers,
      ecs: spec.ecs,
      strategy: STRATEGIES[spec.strategy],
      unpadded: !spec.padding,
      health_interval_ms: (spec.healthCheck?.interval ?? 0) * 1000,
      health_name: wireName(spec.healthCheck?.name),
      trace_context: spec.traceContext,
    });
  }
  return { ids, messages, clusters };
}

function byPriority<T extends { readonly priority: number }>(servers: readonly T[]): readonly T[] {
  return servers.toSorted((a, b) => a.priority - b.priority);
}

/** The root where nothing else is to be asked for. */
function wireName(name: NamePattern | undefined): string {
  return Buffer.from(name?.wire ?? [0]).toString("base64");
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
  const { protocol, ca, pins, ecs } = upstream.spec;
  const servers = upstream.spec.servers.map(({ priority: _, ...server }) => server);
  return shortHash({ upstream: { protocol, servers, ca, pins, ecs }, zone: zone ?? null, owner: owner ?? null }, 8);
}
