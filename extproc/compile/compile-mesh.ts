/**
 * Which names of the mesh a tenant has. A tenant without `isolation` has none: its names go where they always went.
 */
import { numberOf } from "../compiled/hash.ts";
import type { MeshTables, MeshView } from "../compiled/snapshot.ts";
import type { MeshSource } from "../resources/mesh-source-schema.ts";
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";

const CLUSTER_DOMAIN = "cluster.local";
/** Seconds: those of CoreDNS. Who asks again soon hears of changes soon. */
const TTL = 5;

export function compileMesh(
  tenants: readonly Tenant[],
  sources: readonly MeshSource[],
  settings: Settings | undefined,
): MeshTables {
  const { clusterDomain, ttl = TTL, virtualAddresses, healthChecks } = settings?.spec.mesh ?? {};
  const byName = new Map(tenants.map((tenant) => [tenant.metadata.name, tenant]));
  const views = tenants.map((tenant) => viewOf(tenant, byName));
  return {
    clusterDomain: clusterDomain?.text ?? CLUSTER_DOMAIN,
    ttl,
    virtualAddresses: virtualAddresses && {
      ipv4: virtualAddresses.ipv4.text,
      ipv6: virtualAddresses.ipv6.text,
    },
    healthChecks: healthChecks && {
      intervalMs: healthChecks.interval * 1000,
      timeoutMs: healthChecks.timeout,
      unhealthyAfter: healthChecks.unhealthyAfter,
      healthyAfter: healthChecks.healthyAfter,
    },
    sources: sources.map(({ metadata: { name }, spec: { exportTo = [], ...spec } }) => ({ name, exportTo, ...spec })),
    views: views.filter((view) => view !== undefined),
    viewOf: views.map((view) => view?.id ?? ""),
    owners: tenants.map((tenant) => ({ tenant: tenant.metadata.name, namespaces: ownNamespaces(tenant) })),
  };
}

function viewOf(tenant: Tenant, byName: ReadonlyMap<string, Tenant>): MeshView | undefined {
  const { metadata, spec } = tenant;
  const { isolation, searchDomains = [] } = spec;
  if (isolation === undefined) return undefined;
  const own = ownNamespaces(tenant);
  const others = (isolation.from ?? []).flatMap((name) => {
    const other = byName.get(name);
    return other === undefined ? [] : ownNamespaces(other);
  });
  const namespaces = { Own: [...new Set([...own, ...others])].sort(), None: [], All: undefined }[isolation.discover];
  return {
    id: numberOf(`mesh ${metadata.name}`),
    tenant: metadata.name,
    own,
    namespaces,
    searchDomains: searchDomains.map(({ text }) => text),
  };
}

/**
 * Those that it says; if it says none, those that it is known by: of its pods, and of principals `/ns/NAME/`, as Istio writes
 * them.
 */
export function ownNamespaces({ spec }: Tenant): readonly string[] {
  if (spec.namespaces !== undefined) return [...new Set(spec.namespaces)].sort();
  const named = spec.match.flatMap(({ principals = [], namespaces = [] }) => [
    ...namespaces,
    ...principals.flatMap(({ segments }) => (segments[1] === "ns" && segments[2] !== "*" ? [segments[2] ?? ""] : [])),
  ]);
  return [...new Set(named)].filter((name) => name !== "").sort();
}
