/**
 * The kinds of dns.mesh/v1alpha1, field by field. What is not here is refused.
 *
 * A schema checks one resource alone and gives its typed form, defaults filled in. What resources say about each
 * other is checked where the whole set is at hand (compile/).
 */

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { z } from "zod";
import {
  address,
  delay,
  extraText,
  filePath,
  httpPath,
  interval,
  keep,
  metadata,
  name,
  namespaceName,
  network,
  parsed,
  pattern,
  percent,
  pin,
  principal,
  record,
  recordType,
  resourceName,
  ruleName,
  schedule,
  serverAddress,
  serverName,
  ttl,
  window,
  zone,
} from "./field.ts";
import { TYPE_CNAME } from "./record.ts";

export const API_VERSION = "dns.mesh/v1alpha1";

/** metadata.name of the one Settings resource. */
export const SETTINGS_NAME = "default";

/** One principal, server name and path each make one way to match: so many at most, in one entry. */
const MAX_COMBINATIONS = 10_000;

const DEFAULT_PORTS = { DoT: 853, TCP: 53, DoH: 443, DoH3: 443 } as const;

/** INFO-CODEs of RFC 8914, section 4, that a policy has reason to give. */
export const EDE_CODES = { ForgedAnswer: 4, Blocked: 15, Censored: 16, Filtered: 17, Prohibited: 18 } as const;

function list<T extends z.ZodType>(item: T) {
  return z.array(item).min(1);
}

function fail(context: z.RefinementCtx, path: (string | number)[], message: string): void {
  context.addIssue({ code: "custom", message, path });
}

/** An exception that names nobody would be one of everybody. */
function atLeastOne<S extends z.ZodType<object>>(schema: S): S {
  return schema.refine((value) => Object.values(value).some((field) => field !== undefined), {
    message: "expected who is excepted, got an empty map",
  });
}

const matchEntry = z
  .strictObject({
    principals: list(principal).optional(),
    cidrs: list(network).optional(),
    serverNames: list(serverName).optional(),
    paths: list(httpPath).optional(),
    unauthenticated: z.boolean().default(false),
  })
  .superRefine((entry, context) => {
    const { principals, cidrs, serverNames, paths } = entry;
    if (!principals && !cidrs && !serverNames && !paths) {
      fail(context, [], "expected principals, cidrs, serverNames or paths, got none of them");
      return;
    }
    const claimed = !principals && !cidrs;
    if (claimed && !entry.unauthenticated) {
      const field = serverNames ? "serverNames" : "paths";
      fail(
        context,
        [field],
        "expected principals or cidrs beside it, or `unauthenticated: true`: server names and paths are the client's own claim",
      );
    }
    if (!claimed && entry.unauthenticated) {
      fail(context, ["unauthenticated"], "expected only where neither principals nor cidrs match, got true");
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

/** resolv.conf(5): glibc takes more, musl cuts the line at 256 octets. */
const MAX_SEARCH_DOMAINS = 16;

/** Which names of the mesh a tenant has: those of its own namespaces, and what else. */
const isolation = z
  .strictObject({ discover: z.enum(["Own", "All", "None"]).default("Own"), from: list(resourceName).optional() })
  .superRefine(({ discover, from }, context) => {
    if (from && discover !== "Own") {
      fail(context, ["from"], `expected no from with discover ${discover}, got a list`);
    }
  });
/** What is written down of a tenant's queries, and for how long. */
const tenantTelemetry = z.strictObject({
  log: z.enum(["Denials", "All"]).default("Denials"),
  /** Of addresses, what is known of them from then on: all of it, their network (/24, /56), or nothing. */
  clients: z.enum(["Full", "Network", "None"]).default("Full"),
  names: z.enum(["Full", "Hashed"]).default("Full"),
  keep: keep.optional(),
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
    telemetry: tenantTelemetry.default({ log: "Denials", clients: "Full", names: "Full" }),
  })
  .superRefine((spec, context) => {
    if (spec.requires === "principal" && !spec.match.some((entry) => entry.principals)) {
      fail(
        context,
        ["requires"],
        "expected an entry of spec.match with principals, got none: nobody could be this tenant",
      );
    }
    if (spec.searchDomains && !spec.isolation) {
      fail(context, ["searchDomains"], "expected isolation beside it, without which a tenant has no names of the mesh");
    }
  });

const certificates = parsed<{ readonly pem: string }>((text) => {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return "PEM of one or more certificates";
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch {
      return `PEM of certificates, of which number ${index + 1} is none`;
    }
  }
  return { pem: `${blocks.join("\n")}\n` };
}).transform(({ pem }) => pem);

const upstreamSpec = z
  .strictObject({
    protocol: z.enum(["DoT", "TCP", "DoH", "DoH3"]),
    servers: list(
      z.strictObject({
        address: serverAddress,
        port: z.int().min(1).max(65_535).optional(),
        serverName: serverName.optional(),
        path: httpPath.optional(),
        priority: z.int().min(0).max(100).default(0),
      }),
    ),
    strategy: z.enum(["Ordered", "RoundRobin", "Fastest", "Race"]).default("Ordered"),
    healthCheck: z.strictObject({ interval, name: name.optional() }).optional(),
    tls: z
      .strictObject({
        ca: certificates.optional(),
        pins: list(pin).optional(),
        clientCertificate: z.strictObject({ certificateFile: filePath, keyFile: filePath }).optional(),
        minimumVersion: z.enum(["1.2", "1.3"]).default("1.2"),
      })
      .optional(),
    ecs: z.boolean().default(false),
    padding: z.boolean().optional(),
  })
  .superRefine((spec, context) => {
    const http = spec.protocol === "DoH" || spec.protocol === "DoH3";
    const tls = spec.protocol !== "TCP";
    if (!tls && spec.tls) fail(context, ["tls"], "expected no tls with protocol TCP, got a map");
    if (!tls && spec.padding) fail(context, ["padding"], "expected no padding with protocol TCP, which hides nothing");
    for (const [index, server] of spec.servers.entries()) {
      if (tls && server.serverName === undefined) {
        fail(context, ["servers", index, "serverName"], "expected the name in the server's certificate, got nothing");
      }
      if (tls && server.serverName !== undefined && isIP(server.serverName) !== 0) {
        fail(context, ["servers", index, "serverName"], `expected a DNS name, got the address ${server.serverName}`);
      }
      if (!tls && server.serverName !== undefined) {
        fail(context, ["servers", index, "serverName"], "expected no serverName with protocol TCP, got one");
      }
      if (!http && server.path !== undefined) {
        fail(context, ["servers", index, "path"], `expected no path with protocol ${spec.protocol}, got one`);
      }
    }
  })
  .transform((spec) => {
    const http = spec.protocol === "DoH" || spec.protocol === "DoH3";
    const servers = spec.servers.map((server) => ({
      address: server.address,
      port: server.port ?? DEFAULT_PORTS[spec.protocol],
      serverName: server.serverName ?? "",
      path: http ? (server.path ?? "/dns-query") : "",
      priority: server.priority,
    }));
    const { protocol, strategy, healthCheck, ecs, padding = protocol !== "TCP" } = spec;
    const { ca = "", pins = [], clientCertificate, minimumVersion = "1.2" } = spec.tls ?? {};
    return { protocol, servers, strategy, healthCheck, ecs, padding, ca, pins, clientCertificate, minimumVersion };
  });

/** What a response carries over UDP without being cut. */
const MAX_ADDRESSES = 16;

/** What a verdict may carry (verdict.proto). */
const MAX_RECORDS = 64;
const MAX_RECORD_OCTETS = 4096;

const response = z
  .strictObject({
    code: z.enum(["NXDOMAIN", "NODATA", "REFUSED", "Drop", "Truncate"]).optional(),
    addresses: list(address).max(MAX_ADDRESSES).optional(),
    ede: z
      .union([
        z.enum(["Blocked", "Filtered", "Prohibited", "Censored", "ForgedAnswer"]),
        z.strictObject({ code: z.int().min(0).max(65_535), text: extraText.optional() }),
      ])
      .optional(),
    ttl: ttl.optional(),
  })
  .superRefine(({ code, addresses, ede }, context) => {
    if (addresses && code) fail(context, ["code"], `expected no code beside addresses, got ${code}`);
    if (ede !== undefined && code === "Drop")
      fail(context, ["ede"], "expected no ede with Drop, which answers nothing, got one");
  });

/** Audit: recorded where it would have had a word, and passed by. Disabled: not there. */
const mode = z.enum(["Enforce", "Audit", "Disabled"]).default("Enforce");

/** Names of transports as policies have them, in the order of Transport in verdict.proto. */
export const TRANSPORTS = ["UDP", "TCP", "DoT", "DoH", "DoH3"] as const;

/** Whoever has one of each that is there. */
const who = {
  principals: list(principal).optional(),
  cidrs: list(network).optional(),
};

const ruleMatch = z
  .strictObject({
    names: list(pattern).optional(),
    types: list(recordType).optional(),
    transports: list(z.enum(TRANSPORTS)).optional(),
    schedule: schedule.optional(),
    percent: percent.optional(),
  })
  .superRefine((match, context) => {
    if (!match.names && !match.types && !match.transports && !match.schedule) {
      fail(context, [], 'expected names, types, transports or schedule, got none of them (names: ["*"] is every name)');
    }
  });

/** Records of the name that is asked for; a CNAME is followed. */
const answer = z
  .strictObject({ ttl: ttl.optional(), records: list(record).max(MAX_RECORDS) })
  .superRefine(({ records }, context) => {
    const alias = records.findIndex(({ type }) => type === TYPE_CNAME);
    if (alias >= 0 && records.length > 1) {
      fail(
        context,
        ["records", alias],
        "expected a CNAME alone (RFC 1034, section 3.6.2), got other records beside it",
      );
    }
    const octets = records.reduce((sum, { data }) => sum + data.length, 0);
    if (octets > MAX_RECORD_OCTETS) {
      fail(context, ["records"], `expected at most ${MAX_RECORD_OCTETS} octets of data, got ${octets}`);
    }
  });

/** Bounds for the TTLs of what an upstream answers. */
const clamp = z.strictObject({ min: ttl.optional(), max: ttl.optional() }).superRefine(({ min, max }, context) => {
  if (min === undefined && max === undefined) fail(context, [], "expected min or max, got neither");
  for (const [field, value] of Object.entries({ min, max })) {
    if (value === 0) fail(context, [field], "expected at least 1s, got 0s");
  }
  if (min !== undefined && max !== undefined && min > max)
    fail(context, ["min"], "expected no more than max, got more");
});

/** What goes wrong: an answer that is late, or is none. */
const fault = z
  .strictObject({
    delay: delay.optional(),
    code: z.enum(["SERVFAIL", "REFUSED", "NXDOMAIN", "FORMERR", "NOTIMP", "Drop", "Truncate"]).optional(),
  })
  .superRefine(({ delay, code }, context) => {
    if (delay === undefined && code === undefined) fail(context, [], "expected delay or code, got neither");
  });

/** Who is counted by itself: each client, an IPv4 address or an IPv6 /64; or all clients of a tenant together. */
const COUNTED_BY = z.enum(["Client", "Tenant"]);

/** What a token bucket holds in the filter's numbers. */
export const MAX_COUNT = 1_000_000;

const count = z.int().min(1).max(MAX_COUNT);

/** How many queries go on to the next rule; `response` says what those above get. */
const rateLimit = z
  .strictObject({
    queries: count,
    per: window.default(1000),
    burst: count.optional(),
    by: COUNTED_BY.default("Client"),
  })
  .transform(({ burst, ...rate }) => ({ ...rate, burst: burst ?? rate.queries }));

/** Fields that say more of some actions. */
const ACTIONS_OF: Readonly<Record<string, readonly string[]>> = {
  response: ["Deny", "RateLimit"],
  route: ["Route"],
  answer: ["Answer"],
  ttl: ["Ttl"],
  fault: ["Fault"],
  rateLimit: ["RateLimit"],
};
const ACTION_FIELDS = ["response", "route", "answer", "ttl", "fault", "rateLimit"] as const;

const rule = z
  .strictObject({
    name: ruleName,
    mode,
    match: ruleMatch,
    action: z.enum(["Accept", "Deny", "Pass", "Route", "Answer", "Ttl", "Fault", "RateLimit"]),
    response: response.optional(),
    route: z.strictObject({ upstream: resourceName }).optional(),
    answer: answer.optional(),
    ttl: clamp.optional(),
    fault: fault.optional(),
    rateLimit: rateLimit.optional(),
  })
  .superRefine((rule, context) => {
    const { match, action, response } = rule;
    for (const field of ACTION_FIELDS) {
      if (rule[field] && !ACTIONS_OF[field]?.includes(action)) {
        fail(context, [field], `expected no ${field} with action ${action}, got a map`);
      }
    }
    if (action === "Fault" && !rule.fault)
      fail(context, ["fault"], "expected delay or code with action Fault, got nothing");
    if (rule.fault?.code === "Truncate" && match.transports?.some((transport) => transport !== "UDP")) {
      fail(context, ["match", "transports"], "expected UDP alone, over which answers are truncated, got others");
    }
    if (action === "RateLimit" && !rule.rateLimit)
      fail(context, ["rateLimit"], "expected queries with action RateLimit, got nothing");
    if (action === "Ttl" && !rule.ttl) fail(context, ["ttl"], "expected min or max with action Ttl, got nothing");
    if (match.percent !== undefined && action === "Ttl") {
      fail(context, ["match", "percent"], "expected no percent with action Ttl, got one: it decides nothing");
    }
    if (action === "Answer" && !rule.answer)
      fail(context, ["answer"], "expected records with action Answer, got nothing");
    if (action === "Route" && !rule.route)
      fail(context, ["route"], "expected an upstream with action Route, got nothing");
    if (match.percent !== undefined && action === "Pass") {
      fail(context, ["match", "percent"], "expected no percent with action Pass, got one: chance decides, or does not");
    }
    if (match.types && response?.code === "NXDOMAIN") {
      fail(
        context,
        ["response", "code"],
        "expected NODATA or REFUSED where types are given, got NXDOMAIN, which would deny every type (RFC 8020)",
      );
    }
  });

/** Rules are known by their names within a policy. */
function checkRuleNames({ rules }: { readonly rules: readonly { readonly name: string }[] }, context: z.RefinementCtx) {
  const names = new Map<string, number>();
  for (const [index, { name }] of rules.entries()) {
    const first = names.get(name);
    if (first === undefined) names.set(name, index);
    else fail(context, ["rules", index, "name"], `expected a name of its own, got that of spec.rules[${first}]`);
  }
}

const priority = z.int().min(0).max(1000);

/** Without tenants it speaks of every tenant there is. */
const clusterPolicySpec = z
  .strictObject({
    tier: z.enum(["Admin", "Baseline"]),
    priority,
    mode,
    subject: z.strictObject({ tenants: list(resourceName).optional(), ...who }),
    except: atLeastOne(z.strictObject({ tenants: list(resourceName).optional(), ...who })).optional(),
    rules: list(rule),
  })
  .superRefine(checkRuleNames);

/** What a tenant may say of itself: between the two tiers of ClusterDnsPolicy, and of nobody else. */
const policySpec = z
  .strictObject({
    priority,
    mode,
    subject: z.strictObject({ tenants: list(resourceName), ...who }),
    except: atLeastOne(z.strictObject(who)).optional(),
    rules: list(rule),
  })
  .superRefine((spec, context) => {
    checkRuleNames(spec, context);
    if (spec.subject.tenants.length > 1) {
      fail(
        context,
        ["subject", "tenants"],
        `expected one tenant, of which a DnsPolicy alone may speak, got ${spec.subject.tenants.length} (a ClusterDnsPolicy speaks of several)`,
      );
    }
  });

const MIN_VIRTUAL = { ipv4: 30, ipv6: 112 } as const;

/** Ranges are those of Istio by default. */
const virtualRange = (family: 4 | 6, usual: string) =>
  network.prefault(usual).superRefine((range, context) => {
    const longest = family === 4 ? MIN_VIRTUAL.ipv4 : MIN_VIRTUAL.ipv6;
    if (range.family === family && range.length <= longest) return;
    context.addIssue({
      code: "custom",
      message: `expected an IPv${family} block of at most /${longest}, got ${range.text}`,
    });
  });

const mesh = z.strictObject({
  clusterDomain: zone.optional(),
  ttl: ttl.optional(),
  virtualAddresses: z
    .strictObject({ ipv4: virtualRange(4, "240.240.0.0/16"), ipv6: virtualRange(6, "2001:2::/48") })
    .optional(),
});

const settingsSpec = z.strictObject({
  telemetry: z
    .strictObject({
      /** Whether workers tell of every query, or of those alone that the query log has. */
      events: z.enum(["All", "Logged"]).default("All"),
    })
    .optional(),
  mesh: mesh.optional(),
  unknownClient: z
    .strictObject({ action: z.literal("Deny").default("Deny"), response: response.optional() })
    .optional(),
});

function resource<K extends string, S extends z.ZodType>(kind: K, spec: S) {
  return z.strictObject({ apiVersion: z.literal(API_VERSION), kind: z.literal(kind), metadata, spec });
}

export const tenantSchema = resource("Tenant", tenantSpec);
export const upstreamSchema = resource("Upstream", upstreamSpec);
export const clusterPolicySchema = resource("ClusterDnsPolicy", clusterPolicySpec);
export const policySchema = resource("DnsPolicy", policySpec);
export const settingsSchema = resource("Settings", settingsSpec).superRefine((settings, context) => {
  if (settings.metadata.name !== SETTINGS_NAME) {
    fail(
      context,
      ["metadata", "name"],
      `expected "${SETTINGS_NAME}", got "${settings.metadata.name}": there is one Settings`,
    );
  }
});

export type MatchEntry = z.output<typeof matchEntry>;
export type Response = z.output<typeof response>;
export type Rule = z.output<typeof rule>;
export type Tenant = z.output<typeof tenantSchema>;
export type Upstream = z.output<typeof upstreamSchema>;
export type ClusterDnsPolicy = z.output<typeof clusterPolicySchema>;
export type DnsPolicy = z.output<typeof policySchema>;
export type Policy = ClusterDnsPolicy | DnsPolicy;
export type Settings = z.output<typeof settingsSchema>;
export type Resource = Tenant | Upstream | Policy | Settings;
export type Kind = Resource["kind"];

/** Every kind that people may write, in the order in which sets are listed. */
export const SCHEMAS = {
  ClusterDnsPolicy: clusterPolicySchema,
  DnsPolicy: policySchema,
  Settings: settingsSchema,
  Tenant: tenantSchema,
  Upstream: upstreamSchema,
} as const;

/** In the order in which they are asked. */
export const TIERS = ["Admin", "Tenant", "Baseline"] as const;
export type Tier = (typeof TIERS)[number];

export function tierOf(policy: Policy): Tier {
  return policy.kind === "DnsPolicy" ? "Tenant" : policy.spec.tier;
}
