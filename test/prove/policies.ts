/**
 * The policy of the proofs: the demo's tenants, and one rule for the frontend.
 */
import { MAX_EXCEPT } from "../../extproc/compiled/layout.ts";
import type { Zone } from "../e2e/records.ts";
import { parseZone } from "../e2e/records.ts";

const tenant = (name: string, block: string) => `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: ${name}}
spec: {match: [{cidrs: ["${block}"]}], upstream: public}`;

/** Denies the frontend the names of a pattern. */
export const denyFrontend = (pattern: string) => `apiVersion: dns.mesh/v1alpha1
kind: DnsPolicy
metadata: {name: frontend-denied}
spec:
  priority: 100
  subject: {tenants: [frontend]}
  rules:
  - name: deny
    match: {names: ["${pattern}"]}
    action: Deny
    response: {code: NXDOMAIN, ede: Blocked, ttl: 30s}`;

/** More names of a zone than a verdict for it could except: each name right below it is decided for itself. */
export const decidedOneByOne = (zone: string, ...tenants: string[]) => `apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: one-by-one}
spec:
  tier: Admin
  priority: 1
  subject: {tenants: [${tenants.join(", ")}]}
  rules:
  - name: narrow
    match: {names: [${Array.from({ length: MAX_EXCEPT + 1 }, (_, index) => `never${index}.${zone}`).join(", ")}]}
    action: Deny`;

export const tenants = [
  tenant("frontend", "127.0.1.0/24"),
  tenant("backend", "127.0.2.0/24"),
  tenant("platform", "127.0.3.0/24"),
].join("\n---\n");

export const policy = `${tenants}\n---\n${denyFrontend("*.com")}`;

/** Has an address for every name that the proofs ask. */
export const anyZone: Zone = parseZone(`
ready.test 300 A 192.0.2.99
*.test 300 A 192.0.2.100
*.org 300 A 192.0.2.1
*.com 300 A 192.0.2.2
*.net 300 A 192.0.2.3
`);
