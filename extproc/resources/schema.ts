/**
 * The kinds of dns.mesh/v1alpha1, each field by field in a file of its own. What is not there is refused.
 *
 * A schema checks one resource alone and gives its typed form, defaults filled in. What resources say about each
 * other is checked where the whole set is at hand (compile/).
 */

import { listSchema, type NameList } from "./list-schema.ts";
import { type MeshSource, meshSourceSchema } from "./mesh-source-schema.ts";
import { clusterPolicySchema, type Policy, policySchema } from "./policy-schema.ts";
import { type Settings, settingsSchema } from "./settings-schema.ts";
import { type Tenant, tenantSchema } from "./tenant-schema.ts";
import { type Upstream, upstreamSchema } from "./upstream-schema.ts";

export type Resource = Tenant | Upstream | Policy | NameList | MeshSource | Settings;
export type Kind = Resource["kind"];

/** Every kind that people may write, in the order in which sets are listed. */
export const SCHEMAS = {
  ClusterDnsPolicy: clusterPolicySchema,
  DnsPolicy: policySchema,
  MeshSource: meshSourceSchema,
  NameList: listSchema,
  Settings: settingsSchema,
  Tenant: tenantSchema,
  Upstream: upstreamSchema,
} as const;
