import assert from "node:assert/strict";
import { ask, documents, policy, snapshotOf, tenant, tierPolicy, upstream } from "./compile-text.ts";

describe("the bypass guard", () => {
  const match = [{ cidrs: ["10.0.0.0/8"] }];
  const settings = (bypass: unknown) => ({
    kind: "Settings",
    metadata: { name: "default" },
    spec: { guards: { bypass } },
  });
  const ruleFor = (name: string, ...resources: object[]) => {
    const verdict = ask(snapshotOf(documents(upstream("u"), ...resources)), { from: "10.0.0.1", name });
    return [verdict.policy, verdict.rule, "deny" in verdict ? verdict.deny.rcode : "forward"].join(" ");
  };

  it("is there for a tenant that says so, or where Settings do and the tenant does not", () => {
    const plain = tenant("t", { match, upstream: "u" });
    assert.equal(ruleFor("dns.google", plain), "  forward");
    assert.equal(ruleFor("dns.google", plain, settings("Deny")), "guards bypass 3");
    assert.equal(ruleFor("x.resolver.arpa", plain, settings("Deny")), "guards bypass-resolver 0");
    const own = (bypass: string) => tenant("t", { match, upstream: "u", guards: { bypass } });
    assert.equal(ruleFor("use-application-dns.net", own("Deny")), "guards bypass-canary 3");
    assert.equal(ruleFor("dns.google", own("Off"), settings("Deny")), "  forward");
  });

  it("goes after what admins say, and before what tenants say, whatever tiers pass on", () => {
    const plain = tenant("t", { match, upstream: "u" });
    const rule = (name: string, action: string) => ({ name, match: { names: ["*"] }, action });
    const tenants = policy("own", 1, ["t"], [rule("all", "Accept")]);
    const admins = (action: string) =>
      tierPolicy("admin", "Admin", { priority: 1, subject: {}, rules: [rule("all", action)] });
    assert.equal(ruleFor("dns.google", plain, settings("Deny"), tenants), "guards bypass 3");
    assert.equal(ruleFor("dns.google", plain, settings("Deny"), admins("Accept")), "admin all forward");
    assert.equal(ruleFor("dns.google", plain, settings("Deny"), admins("Pass"), tenants), "guards bypass 3");
    assert.equal(
      ruleFor("dns.google", plain, settings({ mode: "Deny", except: ["dns.google"] }), tenants),
      "own all forward",
    );
  });

  it("only records in mode Audit", () => {
    const snapshot = snapshotOf(documents(upstream("u"), tenant("t", { match, upstream: "u" }), settings("Audit")));
    const { audits, rule } = ask(snapshot, { from: "10.0.0.1", name: "dns.google" });
    assert.deepEqual([audits.map((one) => one.rule), rule], [["bypass"], ""]);
  });
});
