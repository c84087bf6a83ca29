/**
 * Where a DnsPolicy may stand: in a namespace of the tenant that it speaks of, as who may write there is trusted with that
 * tenant; or in that of the policy service itself, which is its administrators'.
 */
import type { PolicyObject } from "./policy-objects.ts";

/** Why it may not; undefined where it may. */
export function mayStandThere(
  { kind, namespace, spec }: PolicyObject,
  tenants: ReadonlyMap<string, PolicyObject>,
  administrators: string,
): string | undefined {
  if (kind !== "DnsPolicy" || namespace === administrators) return undefined;
  const [name] = tenantsOf(spec);
  // Without one it is not valid, which says more.
  if (name === undefined) return undefined;
  const tenant = tenants.get(name);
  if (tenant !== undefined && listOf(tenant.spec.namespaces).includes(namespace)) return undefined;
  const why = tenant === undefined ? "there is no such tenant" : `${namespace} is none of its spec.namespaces`;
  return `expected spec.subject.tenants to name a tenant of namespace ${namespace}, got ${name}: ${why}`;
}

/** Whom a policy speaks of, as far as it says so. */
export function tenantsOf(spec: PolicyObject["spec"]): readonly string[] {
  return listOf((spec.subject as { readonly tenants?: unknown } | undefined)?.tenants);
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
