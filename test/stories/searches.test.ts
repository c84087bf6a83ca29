/**
 * What search lists of clients come to is counted: how often the first question got the answer of a later one, and how many
 * questions that has spared.
 */
import { strict as assert } from "node:assert";
import { filterWasm } from "../host/wasm.ts";
import { FakeWorld } from "./fake-world.ts";
import type { Story } from "./story.ts";

const STORY: Story = {
  story: "searches",
  policy: `apiVersion: dns.mesh/v1alpha1
kind: Tenant
metadata: {name: web}
spec:
  match: [{cidrs: ["127.0.1.0/24"]}]
  upstream: public
  namespaces: [web]
  isolation: {discover: All}
  searchDomains: [web.svc.cluster.local, svc.cluster.local, cluster.local]
---
apiVersion: dns.mesh/v1alpha1
kind: ClusterDnsPolicy
metadata: {name: rules}
spec:
  tier: Admin
  priority: 1
  subject: {}
  rules:
  - {name: secret, match: {names: [secret.data.svc.cluster.local, forbidden.example]}, action: Deny}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: web}
spec: {clusterIP: 10.0.0.1}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: 10.0.0.2}
---
apiVersion: v1
kind: Service
metadata: {name: secret, namespace: data}
spec: {clusterIP: 10.0.0.3}
`,
  upstreams: { public: { protocol: "DoT", zone: "www.example.org 300 A 198.51.100.1" } },
  steps: [{ pass: 0 }],
};

/** Each with how many questions it has spared its client. */
const ASKED: readonly (readonly [name: string, spared: number])[] = [
  ["front.web.svc.cluster.local", 0],
  ["db.data.web.svc.cluster.local", 1],
  ["www.example.org.web.svc.cluster.local", 3],
  // From the cache.
  ["www.example.org.web.svc.cluster.local", 3],
  ["nothing.example.org.web.svc.cluster.local", 0],
  ["secret.data.web.svc.cluster.local", 0],
  ["forbidden.example.web.svc.cluster.local", 0],
  ["nowhere.web.svc.cluster.local", 0],
  ["www.example.org", 0],
];

describe("searches", () => {
  it("are counted with the questions that they spare", async () => {
    const world = await FakeWorld.open(filterWasm, STORY);
    try {
      const counted = () =>
        ["answered", "spared"].map((result) => {
          const name = `dns.searches.tenant.web.result.${result}`;
          return Number([...world.host.metrics.all].find((metric) => metric.name === name)?.value ?? 0);
        });
      let [answered, sum] = [0, 0];
      for (const [name, spared] of ASKED) {
        await world.ask({ name, type: "A", from: "127.0.1.7", over: "udp" }, 5000);
        await world.pass(1100);
        if (spared > 0) answered++;
        sum += spared;
        assert.deepEqual(counted(), [answered, sum], name);
      }
    } finally {
      await world.close();
    }
  });
});
