/** The policies: whom they speak of, and their rules. */

import { z } from "zod";
import { admission, listByName } from "./admission.ts";
import { namespaceName, network, principal, resourceName } from "./field.ts";
import { labelSelector } from "./label-selector.ts";
import { responseRule } from "./response-rule-schema.ts";
import { rule } from "./rule-schema.ts";
import { fail, list, mode, resource } from "./schema-parts.ts";

/** An exception that names nobody would be one of everybody. */
function atLeastOne<S extends z.ZodType<object>>(schema: S): S {
  const refined = schema.refine((value) => Object.values(value).some((field) => field !== undefined), {
    message: "expected who is excepted, got an empty map",
  });
  return refined.meta({ minProperties: 1 });
}

/** Whoever has one of each that is there. */
const who = {
  principals: list(principal).optional(),
  cidrs: list(network).optional(),
  /** Of the pod that has the client's address. */
  namespaces: list(namespaceName).optional(),
  workloads: labelSelector.optional(),
};

/** Of each kind, in order; one rule at least. */
const rules = {
  rules: listByName(z.array(rule)).default([]),
  responseRules: listByName(z.array(responseRule)).default([]),
};

interface Rules {
  readonly rules: readonly { readonly name: string }[];
  readonly responseRules: readonly { readonly name: string }[];
}

/** Rules are known by their names within a policy. */
function checkRules(spec: Rules, context: z.RefinementCtx) {
  const places = new Map<string, string>();
  for (const field of ["rules", "responseRules"] as const) {
    for (const [index, { name }] of spec[field].entries()) {
      const first = places.get(name);
      if (first === undefined) places.set(name, `spec.${field}[${index}]`);
      else fail(context, [field, index, "name"], `expected a name of its own, got that of ${first}`);
    }
  }
  if (places.size === 0) fail(context, ["rules"], "expected rules or responseRules, got none");
}

const HAS_RULES = {
  rule: "(has(self.rules) && size(self.rules) > 0) || (has(self.responseRules) && size(self.responseRules) > 0)",
  message: "expected rules or responseRules",
};

const priority = z.int().min(0).max(1000);

/** Without tenants it speaks of every tenant there is. */
const clusterPolicySpec = z
  .strictObject({
    tier: z.enum(["Admin", "Baseline"]),
    priority,
    mode,
    subject: z.strictObject({ tenants: list(resourceName).optional(), ...who }),
    except: atLeastOne(z.strictObject({ tenants: list(resourceName).optional(), ...who })).optional(),
    ...rules,
  })
  .superRefine(checkRules);

/** What a tenant may say of itself: between the two tiers of ClusterDnsPolicy, and of nobody else. */
const policySpec = z
  .strictObject({
    priority,
    mode,
    subject: z.strictObject({ tenants: list(resourceName), ...who }),
    except: atLeastOne(z.strictObject(who)).optional(),
    ...rules,
  })
  .superRefine((spec, context) => {
    checkRules(spec, context);
    if (spec.subject.tenants.length > 1) {
      fail(
        context,
        ["subject", "tenants"],
        `expected one tenant, of which a DnsPolicy alone may speak, got ${spec.subject.tenants.length} (a ClusterDnsPolicy speaks of several)`,
      );
    }
  });

export const clusterPolicySchema = resource("ClusterDnsPolicy", admission(clusterPolicySpec, HAS_RULES));
export const policySchema = resource(
  "DnsPolicy",
  admission(policySpec, HAS_RULES, {
    rule: "size(self.subject.tenants) == 1",
    message: "expected one tenant in subject.tenants, of which a DnsPolicy alone may speak",
  }),
);

export type ClusterDnsPolicy = z.output<typeof clusterPolicySchema>;
export type DnsPolicy = z.output<typeof policySchema>;
export type Policy = ClusterDnsPolicy | DnsPolicy;

/** In the order in which they are asked. Guard is nobody's to write: it has the built-in guards. */
export const TIERS = ["Admin", "Guard", "Tenant", "Baseline"] as const;
export type Tier = (typeof TIERS)[number];

export function tierOf(policy: Policy): Tier {
  return policy.kind === "DnsPolicy" ? "Tenant" : policy.spec.tier;
}
