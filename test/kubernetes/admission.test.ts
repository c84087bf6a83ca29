/**
 * Our kinds at a real API server: what it takes, and what it refuses at admission, saying where.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { StatusError } from "../../extproc/kubernetes/api.ts";
import { Cluster, REAL_API, resourcesOf } from "./cluster.ts";

const ROOT = join(import.meta.dirname, "../..");

/** What is wrong, and what the API server has to say of it. */
const REFUSED: readonly (readonly [what: string, resource: string, said: RegExp])[] = [
  ["a field that is not there", "kind: Tenant\nspec: { upstreams: [a] }", /unknown field "spec\.upstreams"/],
  ["a type that is another", "kind: Tenant\nspec: { upstream: 7 }", /spec\.upstream: Invalid value: "integer"/],
  ["no spec", "kind: Tenant", /spec: Required value/],
  ["a word that is none of those", "kind: Tenant\nspec: { cache: Mine }", /spec\.cache: Unsupported value: "Mine"/],
  ["a guard's word", "kind: Tenant\nspec: { guards: { rebinding: Maybe } }", /spec\.guards\.rebinding: .*should match/],
  [
    "more than there may be",
    "kind: Tenant\nspec: { cache: Own, limits: { cacheShare: 81 } }",
    /spec\.limits\.cacheShare: .*less than or equal to 80/,
  ],
  ["no limit", "kind: Tenant\nspec: { limits: {} }", /spec\.limits: .*should have at least 1 propert/],
  [
    "an entry that matches nobody",
    "kind: Tenant\nspec: { match: [{ unauthenticated: true }] }",
    /spec\.match\[0\]: .*expected principals, cidrs, namespaces, podLabels, serverNames or paths/,
  ],
  [
    "a claim that is taken for evidence",
    "kind: Tenant\nspec: { match: [{ paths: [/dns-query] }] }",
    /spec\.match\[0\]: .*unauthenticated: true/,
  ],
  [
    "a principal that is asked for and that nobody has",
    "kind: Tenant\nspec: { requires: principal, match: [{ cidrs: [10.0.0.0/8] }] }",
    /spec: .*nobody could be this tenant/,
  ],
  [
    "an address that is no block",
    "kind: Tenant\nspec: { match: [{ cidrs: [10.0.0.1] }] }",
    /spec\.match\[0\]\.cidrs\[0\]: .*should match/,
  ],
  [
    "search domains of who has no names",
    "kind: Tenant\nspec: { searchDomains: [a.example] }",
    /spec: .*expected isolation beside searchDomains/,
  ],
  ["another Settings", "kind: Settings\nspec: {}", /expected metadata\.name \\?"default/],
  [
    "servers without names",
    "kind: Upstream\nspec: { protocol: DoT, servers: [{ address: 192.0.2.1 }] }",
    /spec: .*expected serverName of each server/,
  ],
  [
    "TLS where there is none",
    "kind: Upstream\nspec: { protocol: TCP, servers: [{ address: 192.0.2.1 }], tls: {} }",
    /spec: .*expected no tls with protocol TCP/,
  ],
  [
    "a list of two places",
    "kind: NameList\nspec: { inline: [a.example], file: a.txt }",
    /spec: .*expected inline, file or transfer, one of them/,
  ],
  [
    "a dash that only looks like one",
    "kind: NameList\nspec: { inline: [a–b.example] }",
    /spec\.inline\[0\]: .*should match/,
  ],
  [
    "no rules",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {} }",
    /spec: .*expected rules or responseRules/,
  ],
  [
    "two rules of one name",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {}, rules: [{ name: a, match: { names: [a] }, action: Deny }, { name: a, match: { names: [b] }, action: Deny }] }",
    /spec\.rules\[1\]: Duplicate value/,
  ],
  [
    "a match of nothing",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {}, rules: [{ name: a, match: { percent: 1 }, action: Deny }] }",
    /spec\.rules\[0\]\.match: .*expected names, lists/,
  ],
  [
    "an action without what it is about",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {}, rules: [{ name: a, match: { names: [a] }, action: Route }] }",
    /spec\.rules\[0\]: .*expected an upstream in route with action Route/,
  ],
  [
    "what is of another action",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {}, rules: [{ name: a, match: { names: [a] }, action: Accept, response: { code: REFUSED } }] }",
    /spec\.rules\[0\]: .*expected response only with action/,
  ],
  [
    "NXDOMAIN of some types",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {}, rules: [{ name: a, match: { names: [a], types: [A] }, action: Deny, response: { code: NXDOMAIN } }] }",
    /spec\.rules\[0\]: .*expected NODATA or REFUSED/,
  ],
  [
    "an exception of everybody",
    "kind: ClusterDnsPolicy\nspec: { tier: Admin, priority: 1, subject: {}, except: {}, rules: [{ name: a, match: { names: [a] }, action: Deny }] }",
    /spec\.except: .*at least 1 propert/,
  ],
  [
    "a DnsPolicy of two tenants",
    "kind: DnsPolicy\nspec: { priority: 1, subject: { tenants: [a, b] }, rules: [{ name: a, match: { names: [a] }, action: Deny }] }",
    /spec: .*expected one tenant in subject\.tenants/,
  ],
  [
    "a schedule without moments",
    "kind: DnsPolicy\nspec: { priority: 1, subject: { tenants: [a] }, rules: [{ name: a, match: { schedule: { timeZone: UTC } }, action: Deny }] }",
    /spec\.rules\[0\]\.match\.schedule: .*expected days or between/,
  ],
  [
    "a duration that is none",
    "kind: DnsPolicy\nspec: { priority: 1, subject: { tenants: [a] }, rules: [{ name: a, match: { names: [a] }, action: Ttl, ttl: { min: soon } }] }",
    /spec\.rules\[0\]\.ttl\.min: .*should match/,
  ],
];

if (REAL_API !== undefined) {
  describe("our kinds at a real Kubernetes API", function () {
    this.timeout(60_000);
    let cluster: Cluster;
    before(async () => {
      cluster = await Cluster.open();
    });

    it("are taken as the examples have them", async () => {
      const files = readdirSync(join(ROOT, "examples")).filter((name) => name.endsWith(".yaml"));
      const resources = files.flatMap((name) => resourcesOf(readFileSync(join(ROOT, "examples", name), "utf8")));
      assert.ok(resources.length > 10);
      for (const resource of resources) {
        const { kind, metadata } = resource;
        const spec = (await cluster.create(resource, true)) as { readonly spec: unknown };
        assert.deepEqual(spec.spec, resource.spec, `${kind}/${metadata.name}`);
      }
    });

    it("are refused at admission, with the place", async () => {
      for (const [what, text, said] of REFUSED) {
        const [resource] = resourcesOf(`apiVersion: dns.mesh/v1alpha1\nmetadata: { name: bad }\n${text}\n`);
        assert.ok(resource, what);
        const answer = await cluster.create(resource, true).catch((error: unknown) => error);
        assert.ok(answer instanceof StatusError, `${what}: expected a refusal, got none`);
        assert.match(answer.message, said, what);
      }
    });
  });
}
