import assert from "node:assert/strict";
import { documents, policy, problemsOf, tenant, tierPolicy, upstream, warningsOf } from "./compile-text.ts";

const deny = { name: "deny", match: { names: ["*.com"] }, action: "Deny" };
const P = "spiffe://d.example/ns/web/sa/api";

const byChance = { match: { names: ["a"], percent: 1 }, action: "Deny" };

/** A policy of the cluster for some clients of tenant t. */
function some(name: string, who: object, rules: readonly object[] = [deny], except?: object): object {
  return tierPolicy(name, "Baseline", { priority: 5, subject: { tenants: ["t"], ...who }, except, rules });
}

describe("a policy set as a whole", () => {
  const refused: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    [
      "a reference to no upstream",
      documents(upstream("a"), tenant("t", { upstream: "b" })),
      /spec.upstream: expected an existing Upstream \(a\), got "b": there is none/,
    ],
    [
      "a forward to no upstream",
      documents(tenant("t", { forward: [{ zones: ["a"], upstream: "b" }] })),
      /spec.forward\[0\].upstream: .*got "b"/,
    ],
    [
      "a policy for no tenant",
      documents(policy("p", 1, ["t"], [deny])),
      /spec.subject.tenants\[0\]: expected an existing Tenant, got "t"/,
    ],
    [
      "two resources of one name",
      documents(upstream("a"), upstream("a")),
      /document 2, .*metadata.name: expected one Upstream\/a, got another one: the first is in test.yaml, document 1/,
    ],
    [
      "one zone twice",
      documents(upstream("u"), tenant("t", { forward: [{ zones: ["a", "A."], upstream: "u" }] })),
      /zones\[1\]: expected a zone of its own, got a, which spec.forward\[0\].zones\[0\] has/,
    ],
    [
      "one server twice",
      documents(upstream("u", { servers: Array(2).fill({ address: "192.0.2.1", serverName: "a" }) })),
      /spec.servers\[1\]: expected another server/,
    ],
    [
      "equal priorities for one tenant",
      documents(tenant("t", {}), tenant("s", {}), policy("p", 5, ["t"], [deny]), policy("q", 5, ["t"], [deny])),
      /document 4, line 54, spec.priority: expected a priority of its own in tier Tenant for tenant t, got 5, which DnsPolicy p \(test.yaml, document 3, line 27\) has/,
    ],
    [
      "equal priorities for one of several tenants",
      documents(
        tenant("t", {}),
        tenant("s", {}),
        policy("p", 5, ["s", "t"], [deny]),
        tierPolicy("q", "Baseline", { priority: 5, subject: {}, rules: [deny] }),
      ),
      /ClusterDnsPolicy p .* has/,
    ],
    [
      "equal priorities for some clients of a tenant",
      documents(
        tenant("t", {}),
        some("p", { cidrs: ["10.0.0.0/8"], principals: ["spiffe://d.example/ns/*/sa/api"] }),
        some("q", { cidrs: ["10.1.0.0/16", "11.0.0.0/8"], principals: ["spiffe://d.example/ns/web/sa/*"] }),
      ),
      /for tenant t, got 5, which ClusterDnsPolicy p \(test.yaml, document 2, line 19\) has/,
    ],
    [
      "equal priorities for some pods of a tenant",
      documents(
        tenant("t", {}),
        some("p", { namespaces: ["shop", "web"], workloads: { matchLabels: { app: "a" } } }),
        some("q", { namespaces: ["web"], workloads: { matchLabels: { tier: "1" } } }),
      ),
      /for tenant t, got 5, which ClusterDnsPolicy p/,
    ],
    [
      "equal priorities beside an exception for some pods",
      documents(tenant("t", {}), some("p", {}), some("q", {}, [deny], { namespaces: ["shop"] })),
      /for tenant t, got 5, which ClusterDnsPolicy p/,
    ],
    [
      "more rules by chance than a verdict names, beside an exception for some pods",
      documents(
        tenant("t", {}),
        some(
          "p",
          {},
          Array.from({ length: 17 }, (_, index) => ({ ...byChance, name: `r${index}` })),
          { workloads: { matchLabels: { app: "a" } } },
        ),
      ),
      /spec.rules: expected at most 16 rules with percent or rateLimit for one tenant, got 17 for t/,
    ],
    [
      "more rules by chance than a verdict names",
      documents(
        tenant("t", {}),
        some(
          "p",
          {},
          Array.from({ length: 9 }, (_, index) => ({ ...byChance, name: `r${index}` })),
        ),
        policy(
          "q",
          1,
          ["t"],
          Array.from({ length: 8 }, (_, index) => ({ ...byChance, name: `r${index}` })),
        ),
      ),
      /spec.rules: expected at most 16 rules with percent or rateLimit for one tenant, got 17 for t/,
    ],
    [
      "a route to no upstream",
      documents(
        upstream("u"),
        tenant("t", {}),
        some("p", {}, [{ ...deny, action: "Route", route: { upstream: "v" } }]),
      ),
      /spec.rules\[0\].route.upstream: expected an existing Upstream \(u\), got "v"/,
    ],
    [
      "a tenant's way to an upstream that is not its own",
      documents(
        upstream("u"),
        upstream("v"),
        tenant("t", { upstream: "u" }),
        policy("p", 1, ["t"], [{ ...deny, action: "Route", route: { upstream: "v" } }]),
      ),
      /route.upstream: expected an upstream of Tenant t, got v: only a ClusterDnsPolicy gives a tenant another/,
    ],
    [
      "an exception for no tenant",
      documents(tenant("t", {}), some("p", {}, [deny], { tenants: ["s"] })),
      /spec.except.tenants\[0\]: expected an existing Tenant \(t\), got "s"/,
    ],
    [
      "two tenants of one block",
      documents(
        tenant("a", { match: [{ cidrs: ["10.0.0.0/8"] }] }),
        tenant("b", { match: [{ cidrs: ["10.0.0.0/8"] }] }),
      ),
      /document 2, .*cidrs\[0\]: .*got 10.0.0.0\/8, to which Tenant a has equal right/,
    ],
    [
      "two tenants of one principal",
      documents(tenant("a", { match: [{ principals: [P] }] }), tenant("b", { match: [{ principals: [P] }] })),
      /principals\[0\]: .* equal right/,
    ],
    [
      "a server name that would outrank",
      documents(
        tenant("a", { match: [{ cidrs: ["10.0.0.0/8"] }] }),
        tenant("b", { match: [{ cidrs: ["10.0.0.0/8"], serverNames: ["b.example"] }] }),
      ),
      /got 10.0.0.0\/8 with b.example, to which Tenant a has equal right/,
    ],
    [
      "a block that another tenant requires a principal from",
      documents(
        tenant("a", { match: [{ principals: [P] }, { cidrs: ["10.0.0.0/8"] }], requires: "principal" }),
        tenant("b", { match: [{ cidrs: ["10.0.0.0/8"] }] }),
      ),
      /to which Tenant a has equal right/,
    ],
  ];
  for (const [name, text, reason] of refused) {
    it(`refuses ${name}`, () => assert.match(problemsOf(text).join("\n"), reason));
  }

  it("takes tenants that exclude each other", () => {
    const cidrs = ["10.0.0.0/8"];
    const text = documents(
      upstream("u"),
      tenant("a", { upstream: "u", match: [{ cidrs, serverNames: ["a.example"] }] }),
      tenant("b", { upstream: "u", match: [{ cidrs, serverNames: ["b.example"] }] }),
      tenant("c", { upstream: "u", match: [{ cidrs: ["10.0.0.0/9"] }, { cidrs: ["10.0.0.0/9"], paths: ["/c"] }] }),
      policy("p", 5, ["a"], [deny]),
      policy("q", 5, ["b", "c"], [deny]),
      tierPolicy("r", "Baseline", { priority: 5, subject: { tenants: ["a"] }, rules: [deny] }),
      tierPolicy("s", "Admin", { priority: 5, subject: {}, rules: [deny] }),
    );
    assert.deepEqual(warningsOf(text), []);
  });

  it("takes equal priorities of policies that have no client in common", () => {
    const t = { upstream: "u", match: [{ principals: [P] }] };
    const sets: readonly (readonly object[])[] = [
      [some("p", { cidrs: ["10.0.0.0/8"] }), some("q", { cidrs: ["11.0.0.0/8", "fd00::/8"] })],
      [
        some("p", { principals: ["spiffe://d.example/a/*"] }),
        some("q", { principals: ["spiffe://d.example/b/*", "spiffe://d.example/*"] }),
      ],
      [some("p", { cidrs: ["10.1.0.0/16"] }), some("q", {}, [deny], { cidrs: ["10.0.0.0/8"] })],
      [some("p", { principals: [P] }), some("q", {}, [deny], { principals: ["spiffe://d.example/ns/*/sa/*"] })],
      [some("p", { namespaces: ["shop"] }), some("q", { namespaces: ["web"] })],
      [
        some("p", { workloads: { matchLabels: { app: "a" } } }),
        some("q", { workloads: { matchExpressions: [{ key: "app", operator: "NotIn", values: ["a"] }] } }),
      ],
      [some("p", { namespaces: ["shop"] }), some("q", {}, [deny], { namespaces: ["shop", "web"] })],
      [
        some("p", { workloads: { matchLabels: { app: "a" } } }),
        some("q", {}, [deny], { workloads: { matchLabels: { app: "a" } } }),
      ],
      [some("p", {}), some("q", {}, [deny], { tenants: ["t"] })],
      [some("p", {}), tierPolicy("q", "Baseline", { mode: "Disabled", priority: 5, subject: {}, rules: [deny] })],
    ];
    for (const set of sets) assert.deepEqual(problemsOf(documents(upstream("u"), tenant("t", t), ...set)), []);
  });

  const warned: readonly (readonly [name: string, text: string, reason: RegExp])[] = [
    [
      "a principal that is better not shown",
      documents(
        tenant("a", { match: [{ principals: [P], cidrs: ["10.1.0.0/16"] }] }),
        tenant("b", { match: [{ cidrs: ["10.0.0.0/8"] }] }),
      ),
      /spec.match\[0\].cidrs\[0\]: .*got 10.0.0.0\/8 of Tenant b, whose a client of this tenant from there becomes by not showing its principal/,
    ],
    [
      "a principal without addresses",
      documents(tenant("a", { match: [{ principals: [P] }] }), tenant("b", { match: [{ cidrs: ["10.0.0.0/8"] }] })),
      /spec.match\[0\].principals: .*becomes whose its address is \(b\)/,
    ],
    [
      "a tenant within the block of one that requires a principal",
      documents(
        tenant("a", { match: [{ principals: [P], cidrs: ["10.0.0.0/8"] }], requires: "principal" }),
        tenant("b", { match: [{ cidrs: ["10.1.0.0/16"] }] }),
      ),
      /got 10.1.0.0\/16 of Tenant b: its clients from 10.0.0.0\/8 are denied/,
    ],
    [
      "a denial that a client escapes by hiding its principal",
      documents(tenant("t", { match: [{ cidrs: ["10.0.0.0/8"] }] }), some("p", { principals: [P] })),
      /spec.subject.principals: .* got t, whose clients may be known by address alone: who does not show/,
    ],
    ["a tenant without an upstream", documents(tenant("a", {})), /spec: expected an upstream, got none/],
    [
      "a ttl that has no effect",
      documents(tenant("a", {}), policy("p", 1, ["a"], [{ ...deny, response: { code: "REFUSED", ttl: "1s" } }])),
      /response.ttl: expected no ttl with REFUSED/,
    ],
    [
      "a name accepted below one that is denied with NXDOMAIN",
      documents(
        tenant("a", {}),
        policy("p", 1, ["a"], [{ name: "ok", match: { names: ["y.com", "www.x.com"] }, action: "Accept" }, deny]),
      ),
      /spec.rules\[0\].match.names\[1\]: .*got www.x.com below x.com \(DnsPolicy p, rule deny\)/,
    ],
    [
      "names accepted below one that is denied, by a later policy",
      documents(
        tenant("a", {}),
        policy("p", 1, ["a"], [{ ...deny, match: { names: ["x.com"] } }]),
        policy("q", 2, ["a"], [{ name: "ok", match: { names: ["*.x.com"] }, action: "Accept" }]),
      ),
      /got \*.x.com below x.com \(DnsPolicy p, rule deny\)/,
    ],
  ];
  for (const [name, text, reason] of warned) {
    it(`warns of ${name}`, () => assert.match(warningsOf(text).join("\n"), reason));
  }

  it("warns of a policy named like one of the cluster's", () => {
    const text = documents(
      tenant("a", {}),
      policy("p", 1, ["a"], [deny]),
      tierPolicy("p", "Admin", { priority: 1, subject: {}, rules: [deny] }),
    );
    assert.match(
      warningsOf(text).join("\n"),
      /document 2, line 15, metadata.name: .* ClusterDnsPolicy p \(test.yaml, document 3, line 42\)/,
    );
  });

  it("does not warn of NODATA, nor of an accepted name with its ancestors", () => {
    const rules = [{ name: "ok", match: { names: ["x.com", "*.x.com"] }, action: "Accept" }, deny];
    const nodata = [rules[0] ?? {}, { ...deny, response: { code: "NODATA" } }];
    const all = documents(upstream("u"), tenant("a", { upstream: "u" }), policy("p", 1, ["a"], rules));
    assert.deepEqual(warningsOf(all), []);
    const text = documents(upstream("u"), tenant("a", { upstream: "u" }), policy("p", 1, ["a"], nodata));
    assert.deepEqual(warningsOf(text), []);
  });
});
