/**
 * The bypass guard as policies: how clients would find a resolver that knows no policy is not to be found. Between what
 * admins say and what tenants say: an admin's Accept goes before it, a tenant's does not.
 */
import type { Guards } from "../resources/guards-schema.ts";
import { type NamePattern, parsePattern } from "../resources/name-pattern.ts";
import type { Policy } from "../resources/policy-schema.ts";
import type { Rule } from "../resources/rule-schema.ts";
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import { GUARDS_POLICY } from "./compile-guards.ts";

/** Resolvers that clients are built or told to use, by DoH and DoT, and relays that carry their own DNS. */
const RESOLVERS = [
  "dns.google",
  "*.dns.google",
  "dns.google.com",
  "8888.google",
  "cloudflare-dns.com",
  "*.cloudflare-dns.com",
  "one.one.one.one",
  "dns.quad9.net",
  "dns9.quad9.net",
  "dns10.quad9.net",
  "dns11.quad9.net",
  "dns12.quad9.net",
  "doh.opendns.com",
  "dns.opendns.com",
  "doh.familyshield.opendns.com",
  "doh.umbrella.com",
  "dns.umbrella.com",
  "dns.adguard.com",
  "*.adguard.com",
  "dns.adguard-dns.com",
  "*.adguard-dns.com",
  "dns.nextdns.io",
  "*.dns.nextdns.io",
  "doh.cleanbrowsing.org",
  "dns.controld.com",
  "*.dns.controld.com",
  "freedns.controld.com",
  "dns.mullvad.net",
  "*.dns.mullvad.net",
  "doh.mullvad.net",
  "dns0.eu",
  "*.dns0.eu",
  "doh.dns.sb",
  "dot.sb",
  "dns.alidns.com",
  "doh.pub",
  "dot.pub",
  "doh.360.cn",
  "dns.twnic.tw",
  "public.dns.iij.jp",
  "odvr.nic.cz",
  "dns.switch.ch",
  "dns.digitale-gesellschaft.ch",
  "doh.applied-privacy.net",
  "doh.libredns.gr",
  "doh.xfinity.com",
  "mask.icloud.com",
  "mask-h2.icloud.com",
].map(parsePattern);

/** Of each mode that some tenant has, one. */
export function bypassPolicies(tenants: readonly Tenant[], settings: Settings | undefined): Policy[] {
  const modes = new Map<string, { readonly guard: NonNullable<Guards["bypass"]>; readonly tenants: string[] }>();
  for (const { metadata, spec } of tenants) {
    const { bypass } = { ...settings?.spec.guards, ...spec.guards };
    if (bypass === undefined || bypass.mode === "Off") continue;
    const key = JSON.stringify(bypass);
    const same = modes.get(key) ?? { guard: bypass, tenants: [] };
    modes.set(key, same);
    same.tenants.push(metadata.name);
  }
  return [...modes.values()].map(({ guard, tenants: subject }) => policyOf(guard, subject));
}

function policyOf({ mode, except }: NonNullable<Guards["bypass"]>, tenants: string[]): Policy {
  const policy = {
    apiVersion: "dns.mesh/v1alpha1",
    kind: "ClusterDnsPolicy",
    metadata: { name: GUARDS_POLICY },
    spec: {
      tier: "Guard",
      priority: 0,
      mode: mode === "Audit" ? "Audit" : "Enforce",
      subject: { tenants },
      rules: [
        ...(except.length > 0 ? [rule("bypass-except", except, { action: "Pass" })] : []),
        // Discovery of designated resolvers is for a resolver to answer, and no upstream's (RFC 9462, section 6.4).
        rule("bypass-resolver", RESOLVER_ARPA, { action: "Deny", response: { code: "NODATA" } }),
        // By which browsers ask whether they may use a resolver of their own.
        rule("bypass-canary", CANARY, { action: "Deny", response: { code: "NXDOMAIN" } }),
        rule("bypass", RESOLVERS, { action: "Deny", response: { code: "NXDOMAIN" } }),
      ],
      responseRules: [],
    },
  };
  // Nobody writes a policy of this tier: no schema has it.
  return policy as unknown as Policy;
}

const RESOLVER_ARPA = ["resolver.arpa", "*.resolver.arpa"].map(parsePattern);
const CANARY = [parsePattern("use-application-dns.net")];

function rule(name: string, names: readonly NamePattern[], does: Pick<Rule, "action" | "response">): object {
  return { name, mode: "Enforce", match: { names }, ...does };
}
