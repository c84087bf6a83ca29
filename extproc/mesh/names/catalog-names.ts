/**
 * Names of a catalog, as those of its namespace.
 */
import type { MeshSourceReference } from "../../compiled/mesh-source-reference.ts";
import { presentLabels } from "../../dns/names.ts";
import type { CatalogName } from "../catalogs/catalog.ts";
import { type Contribution, toGroup } from "./contribution.ts";
import type { Sidecars } from "./sidecars.ts";

export function catalogName(
  { namespace, exportTo }: MeshSourceReference,
  { name, wildcard, ttl, records }: CatalogName,
  sidecars: Sidecars,
): Contribution {
  // The name is written out only where somebody asks.
  const facets = sidecars.hosts.length === 0 ? [] : sidecars.facetsOf(presentLabels(name).slice(0, -1));
  return { name, wildcard, group: toGroup(namespace, exportTo, facets), ttl, records };
}
