import assert from "node:assert/strict";
import { findOwners } from "../../../extproc/mesh/owners.ts";
import { ObjectStore } from "../../../extproc/mesh/sources/object-store.ts";
import { compileText } from "../compile/compile-text.ts";
import { objectsOf } from "./objects.ts";

function tenant(name: string, spec: string): string {
  return `apiVersion: dns.mesh/v1alpha1\nkind: Tenant\nmetadata: { name: ${name} }\nspec: { upstream: public, ${spec} }\n---\n`;
}

function entry(namespace: string, host: string): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: e${host.replaceAll(/\W/g, "-")}, namespace: ${namespace} }
spec: { hosts: ["${host}"], resolution: DNS, ports: [{ number: 443, name: https, protocol: TLS }] }
---
`;
}

describe("whose names those below a zone are", () => {
  const tenants = [
    tenant("shop", 'match: [{ principals: ["spiffe://cluster.local/ns/web/sa/*"] }]'),
    tenant("data", 'match: [{ cidrs: ["10.0.0.0/8"] }], namespaces: [db, shared]'),
    tenant("team", 'match: [{ cidrs: ["11.0.0.0/8"] }], namespaces: [shared]'),
  ];
  const objects = new ObjectStore();
  objects.apply({
    set: objectsOf(
      [
        entry("db", "*.warehouse.example"),
        entry("web", "www.shop.co.uk"),
        `apiVersion: externaldns.k8s.io/v1alpha1
kind: DNSEndpoint
metadata: { name: records, namespace: web }
spec: { endpoints: [{ dnsName: "*.records.example", recordType: A, targets: [192.0.2.1] }] }
---
`,
        entry("db", "a.common.example"),
        entry("nobodys", "b.common.example"),
      ].join(""),
    ),
  });
  const upstream =
    "kind: Upstream\nmetadata: { name: public }\nspec: { protocol: TCP, servers: [{ address: 127.0.0.1 }] }\n";
  const { policy } = compileText(`${tenants.join("")}apiVersion: dns.mesh/v1alpha1\n${upstream}`);
  const owners = findOwners(objects, policy.tables.mesh);

  it("is said by the tenant of the namespace, for its Services, hosts of its ServiceEntries, and names of its DNSEndpoints", () => {
    assert.equal(owners.get("web.svc.cluster.local."), "shop");
    assert.equal(owners.get("db.svc.cluster.local."), "data");
    assert.equal(owners.get("warehouse.example."), "data");
    assert.equal(owners.get("shop.co.uk."), "shop");
    assert.equal(owners.get("records.example."), "shop");
  });

  it("is not known where several have names, or nobody", () => {
    assert.equal(owners.get("shared.svc.cluster.local."), undefined);
    assert.equal(owners.get("common.example."), undefined);
    assert.equal(owners.get("nobodys.svc.cluster.local."), undefined);
  });
});
