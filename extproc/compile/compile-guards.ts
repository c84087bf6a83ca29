/**
 * Guards as response rules, between what admins say and what tenants say: an admin's Accept goes before them, a tenant's
 * does not.
 */
import { RuleAction } from "../compiled/messages.ts";
import type { CompiledResponseRule } from "../compiled/snapshot.ts";
import type { Guards } from "../resources/guards-schema.ts";
import { parseNetwork } from "../resources/network.ts";
import { TIERS } from "../resources/policy-schema.ts";
import type { Settings } from "../resources/settings-schema.ts";
import type { Tenant } from "../resources/tenant-schema.ts";
import { compileResponseRule } from "./compile-responses.ts";

/** What events, metrics and denials name as the policy of a guard. */
export const GUARDS_POLICY = "guards";

/** No Pass of a tier passes them over. */
const TIER = TIERS.indexOf("Guard");

/** Addresses that the Internet does not lead to, and a network of one's own may: IANA's special-purpose registries. */
const PRIVATE = [
  "0.0.0.0/8", // RFC 1122, section 3.2.1.3
  "10.0.0.0/8", // RFC 1918
  "100.64.0.0/10", // RFC 6598
  "127.0.0.0/8",
  "169.254.0.0/16", // RFC 3927
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::/127", // unspecified and loopback: RFC 4291, sections 2.5.2 and 2.5.3
  "64:ff9b:1::/48", // RFC 8215
  "fc00::/7", // RFC 4193
  "fe80::/10",
  "fec0::/10", // RFC 3879
].map((text) => {
  const network = parseNetwork(text);
  if (typeof network === "string") throw new Error(`expected ${network}, got ${text}`);
  return network;
});

export function compileGuards(tenant: Tenant, settings: Settings | undefined): CompiledResponseRule[] {
  const guards: Guards = { ...settings?.spec.guards, ...tenant.spec.guards };
  const { mode, except = [] } = guards.rebinding ?? { mode: "Off" };
  if (mode === "Off") return [];
  const names = { policy: GUARDS_POLICY, rule: "rebinding" };
  const match = { addresses: PRIVATE };
  return [compileResponseRule(names, RuleAction.DENY, match, { tier: TIER, audit: mode === "Audit", except })];
}
