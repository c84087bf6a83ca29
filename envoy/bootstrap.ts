/**
 * The bootstrap of an Envoy that speaks DNS: every listener, the internal ways between them, and the policy
 * service. ARCHITECTURE.md names the parts.
 */
import { type Config, extension, toYaml } from "./config.ts";
import { dotListener, proxiedListener, tcpListener, udpListener } from "./dns-listeners.ts";
import { doh3Listener, dohListener } from "./doh-listeners.ts";
import { egressCluster, egressListener } from "./egress.ts";
import { decisions, dohOut, pipe, udpTunnel } from "./internal.ts";
import type { BootstrapOptions } from "./options.ts";
import { discovery, policyServiceCluster } from "./policy-service.ts";
import { admin, overload, runtime, statistics, watchdogs } from "./process.ts";
import { resolverListener, virtualMetadata, virtualResolver } from "./virtual.ts";

export function bootstrap(options: BootstrapOptions): Config {
  const internals = [udpTunnel(options), decisions(options), pipe(options), dohOut(options)];
  const { virtual } = options;
  return {
    node: {
      id: options.node,
      cluster: "envoy-dns-policy",
      ...(virtual ? { metadata: virtualMetadata(options, virtual) } : {}),
    },
    admin: admin(options),
    bootstrap_extensions: [
      extension(
        "envoy.bootstrap.internal_listener",
        "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
      ),
    ],
    overload_manager: overload(options),
    watchdogs: watchdogs(),
    layered_runtime: runtime(options),
    stats_config: statistics(),
    dynamic_resources: discovery(options),
    ...(virtual ? { typed_dns_resolver_config: virtualResolver(virtual) } : {}),
    static_resources: {
      listeners: [...publicListeners(options), ...internals.map(({ listener }) => listener)],
      clusters: [
        ...internals.map(({ cluster }) => cluster),
        policyServiceCluster(options),
        ...(options.egress ? [egressCluster()] : []),
      ],
    },
  };
}

/** The bootstrap as a file to read. */
export function bootstrapYaml(options: BootstrapOptions, header = "Made by envoy/bootstrap.ts."): string {
  return toYaml(bootstrap(options), header);
}

function publicListeners(options: BootstrapOptions): Config[] {
  const { udp, tcp, dot, doh } = options.ports;
  const listeners: Config[] = [];
  if (udp !== undefined) listeners.push(udpListener(options, udp));
  if (tcp !== undefined) listeners.push(tcpListener(options, tcp));
  if (dot !== undefined) listeners.push(dotListener(options, dot));
  if (doh !== undefined) listeners.push(dohListener(options, doh));
  if (doh !== undefined && options.doh3) listeners.push(doh3Listener(options, doh));
  if (options.proxied) listeners.push(proxiedListener(options, options.proxied.port, options.proxied.balancers));
  if (options.egress) listeners.push(egressListener(options, options.egress));
  if (options.virtual) listeners.push(resolverListener(options, options.virtual));
  return listeners;
}
