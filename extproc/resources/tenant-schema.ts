/** A tenant: who it is, and what holds for all that it asks. */

import { z } from "zod";
import { admission, oneOf } from "./admission.ts";
import { httpPath, keep, namespaceName, network, percent, principal, resourceName, serverName, zone } from "./field.ts";
import { guards } from "./guards-schema.ts";
import { labelSelector } from "./label-selector.ts";
import { tenantLimits } from "./limits-schema.ts";
import { fail, list, resource } from "./schema-parts.ts";

/** One principal, server name and path each make one way to match: so many at most, in one entry. */
const MAX_COMBINATIONS = 10_000;

const matchFields = z
  .strictObject({
    principals: list(principal).optional(),
    cidrs: list(network).optional(),
    /** Of the pod that has the client's address. */
    namespaces: list(namespaceName).optional(),
    podLabels: labelSelector.optional(),
    serverNames: list(serverName).optional(),
    paths: list(httpPath).optional(),
    unauthenticated: z.boolean().default(false),
  })
  .superRefine((entry, context) => {
    const { principals, cidrs, namespaces, podLabels, serverNames, paths } = entry;
    const pods = namespaces !== undefined || podLabels !== undefined;
    if (!principals && !cidrs && !pods && !serverNames && !paths) {
      fail(context, [], "expected principals, cidrs, namespaces, podLabels, serverNames or paths, got none of them");
      return;
    }
    if (pods && (principals || cidrs)) {
      const field = principals ? "principals" : "cidrs";
      fail(context, [field], `expected no ${field} beside namespaces and podLabels, which are evidence of their own`);
    }
    const claimed = !principals && !cidrs && !pods;
    if (claimed && !entry.unauthenticated) {
      const field = serverNames ? "serverNames" : "paths";
      fail(
        context,
        [field],
        "expected principals or cidrs beside it, or `unauthenticated: true`: server names and paths are the client's own claim",
      );
    }
    if (!claimed && entry.unauthenticated) {
      fail(context, ["unauthenticated"], "expected only where neither principals, cidrs nor pods match, got true");
    }
    const combinations = (principals?.length ?? 1) * (serverNames?.length ?? 1) * (paths?.length ?? 1);
    if (combinations > MAX_COMBINATIONS) {
      fail(
        context,
        [],
        `expected at most ${MAX_COMBINATIONS} combinations of principals, serverNames and paths, got ${combinations}`,
      );
    }
  });

const PODS = "has(self.namespaces) || has(self.podLabels)";
const matchEntry = admission(
  matchFields,
  oneOf("principals", "cidrs", "namespaces", "podLabels", "serverNames", "paths"),
  {
    rule: `!(${PODS}) || !(has(self.principals) || has(self.cidrs))`,
    message: "expected no principals and cidrs beside namespaces and podLabels, which are evidence of their own",
  },
  {
    rule: `(has(self.principals) || has(self.cidrs) || ${PODS}) != (has(self.unauthenticated) && self.unauthenticated)`,
    message:
      "expected `unauthenticated: true` where serverNames and paths, the client's own claim, stand alone, and only there",
  },
);

/** resolv.conf(5): glibc takes more, musl cuts the line at 256 octets. */
const MAX_SEARCH_DOMAINS = 16;

/** Which names of the mesh a tenant has: those of its own namespaces, and what else. */
const isolationFields = z
  .strictObject({ discover: z.enum(["Own", "All", "None"]).default("Own"), from: list(resourceName).optional() })
  .superRefine(({ discover, from }, context) => {
    if (from && discover !== "Own") {
      fail(context, ["from"], `expected no from with discover ${discover}, got a list`);
    }
  });

const isolation = admission(isolationFields, {
  rule: '!has(self.from) || !has(self.discover) || self.discover == "Own"',
  message: "expected no from but with discover Own",
});

/** What is written down of a tenant's queries, and for how long. */
const telemetryFields = z
  .strictObject({
    log: z.enum(["Denials", "All"]).default("Denials"),
    /** Percent of what was not denied that is logged. */
    sample: percent.optional(),
    /** Of addresses, what is known of them from then on: all of it, their network (/24, /56), or nothing. */
    clients: z.enum(["Full", "Network", "None"]).default("Full"),
    names: z.enum(["Full", "Hashed"]).default("Full"),
    keep: keep.optional(),
    /** Percent of its queries that are traced, where the service is told whom to send traces. */
    traces: percent.optional(),
    /** Its clients are trusted to say which trace a query is part of, in an EDNS option (65500): such queries are traced. */
    traceContext: z.boolean().default(false),
  })
  .superRefine(({ log, sample }, context) => {
    if (sample !== undefined && log !== "All") fail(context, ["sample"], `expected log: All beside it, got ${log}`);
  });

const tenantTelemetry = admission(telemetryFields, {
  rule: '!has(self.sample) || (has(self.log) && self.log == "All")',
  message: "expected log: All beside sample",
});

const tenantSpec = z
  .strictObject({
    match: list(matchEntry).default([]),
    requires: z.literal("principal").optional(),
    upstream: resourceName.optional(),
    forward: z.array(z.strictObject({ zones: list(zone), upstream: resourceName })).default([]),
    cache: z.enum(["Shared", "Own"]).default("Shared"),
    namespaces: list(namespaceName).optional(),
    isolation: isolation.optional(),
    searchDomains: list(zone).max(MAX_SEARCH_DOMAINS).optional(),
    guards: guards.optional(),
    /** What becomes of questions while the policy service is away: all of them fail, or known verdicts go on for a while. */
    onUnavailable: z.enum(["Deny", "ServeLast"]).default("ServeLast"),
    /** What denials tell this tenant's clients of the rule: all of its place, its name, the code alone, or nothing. */
    explain: z.enum(["Full", "Rule", "Code", "None"]).default("Full"),
    limits: tenantLimits.optional(),
    telemetry: tenantTelemetry.default({ log: "Denials", clients: "Full", names: "Full", traceContext: false }),
  })
  .superRefine((spec, context) => {
    if (spec.requires === "principal" && !spec.match.some((entry) => entry.principals)) {
      fail(
        context,
        ["requires"],
        "expected an entry of spec.match with principals, got none: nobody could be this tenant",
      );
    }
    if (spec.limits?.cacheShare !== undefined && spec.cache !== "Own") {
      fail(context, ["limits", "cacheShare"], "expected cache: Own beside it: a cache that is shared is nobody's");
    }
    if (spec.searchDomains && !spec.isolation) {
      fail(context, ["searchDomains"], "expected isolation beside it, without which a tenant has no names of the mesh");
    }
  });

export const tenantSchema = resource(
  "Tenant",
  admission(
    tenantSpec,
    {
      rule: "!has(self.requires) || (has(self.match) && self.match.exists(entry, has(entry.principals)))",
      message: "expected an entry of match with principals beside requires: nobody could be this tenant",
    },
    {
      rule: '!has(self.limits) || !has(self.limits.cacheShare) || (has(self.cache) && self.cache == "Own")',
      message: "expected cache: Own beside limits.cacheShare: a cache that is shared is nobody's",
    },
    {
      rule: "!has(self.searchDomains) || has(self.isolation)",
      message: "expected isolation beside searchDomains, without which a tenant has no names of the mesh",
    },
  ),
);

export type MatchEntry = z.output<typeof matchEntry>;
export type Tenant = z.output<typeof tenantSchema>;
