/** Policies by whose answers one sees who was taken for whom: each tenant is denied its own name, and no other. */

/** The tenants by their names, each with the one entry of its `spec.match`. */
export function telltalePolicy(tenants: Readonly<Record<string, string>>): string {
  return Object.entries(tenants)
    .map(([name, match]) => tenant(name, match))
    .join("\n---\n");
}

/** What the upstream `public` has: everybody's names, and the one that says that all is up. */
export const TELLTALE_ZONE = "*.org 300 A 192.0.2.1\nready.test 300 A 192.0.2.9";

function tenant(name: string, match: string): string {
  return `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${name}}
spec: {match: [${match}], upstream: public}
---
apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: ${name}}
spec:
  priority: 100
  subject: {tenants: [${name}]}
  rules: [{name: own, match: {names: ["${name}.org"]}, action: Deny}]`;
}
