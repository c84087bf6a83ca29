/**
 * Policies of these tests.
 */

export const TENANT = `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: frontend}
spec: {match: [{cidrs: ["127.0.1.0/24"]}], upstream: public}
`;

export const DENY_COM = `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: no-com}
spec:
  priority: 100
  subject: {tenants: [frontend]}
  rules: [{name: deny-com, match: {names: ["*.com"]}, action: Deny, response: {code: NXDOMAIN, ede: Blocked, ttl: 30s}}]
`;

export function upstream(port = 8853, protocol = "DoT", name = "public"): string {
  const serverName = protocol === "TCP" ? "" : ", serverName: dns.upstream.example";
  return `apiVersion: dns.mesh/v1alpha1
kind: Upstream
metadata: {name: ${name}}
spec: {protocol: ${protocol}, servers: [{address: 127.0.0.1, port: ${port}${serverName}}]}
`;
}

export const POLICY = [TENANT, upstream(), DENY_COM].join("---\n");
