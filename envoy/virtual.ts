/**
 * Connections to virtual addresses (240.240.0.0/16): the kernel brings them to a listener that the policy service keeps, by
 * LDS, with a cluster for each destination. Names among their endpoints are asked for here, of our own DNS listeners, as a
 * tenant that has no names of the mesh: asked as anybody else, they would be answered with virtual addresses again.
 */
import { socketAddress } from "./address.ts";
import { type Config, explain, extension } from "./config.ts";
import { tcpListener } from "./dns-listeners.ts";
import { type BootstrapOptions, listenerNames } from "./options.ts";

type Virtual = NonNullable<BootstrapOptions["virtual"]>;

const LOOPBACK = "127.0.0.1";

/** What the policy service is told of this Envoy (extproc/server/discovery/virtual-listener.ts). */
export function virtualMetadata({ addresses, tenant }: BootstrapOptions, { port, check = false }: Virtual): Config {
  return { virtual_addresses: { addresses, port, ...(check ? { check, ...(tenant ? { tenant } : {}) } : {}) } };
}

/** Where Envoy itself asks for names: whoever asks here is the resolver's tenant. */
export function resolverListener(options: BootstrapOptions, { resolver }: Virtual): Config {
  const own = { ...options, addresses: [LOOPBACK], tenant: resolver.tenant };
  return tcpListener(own, resolver.port, listenerNames.resolver);
}

/** For every cluster that says nothing else. */
export function virtualResolver({ resolver }: Virtual): Config {
  const options = explain(
    { use_tcp_for_dns_lookups: true, no_default_search_domain: true },
    { use_tcp_for_dns_lookups: "A thousand names at once: by UDP most of them would be lost." },
  );
  return extension(
    "envoy.network.dns_resolver.cares",
    "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
    { resolvers: [socketAddress(LOOPBACK, resolver.port)], dns_resolver_options: options },
  );
}
